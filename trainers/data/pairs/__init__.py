"""Photographs with label maps, as most people keep them. description.py says what a definition tells of them, pair.py
what every format is read into; a file a format lists its pairs."""
