"""What is trained on: a table of samples, from which splits are made (table.py, split.py), and a source of their images
(source.py). The sources are folders of their own: cut_outs/ composites objects before backgrounds."""
