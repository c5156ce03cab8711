"""The source of the paper's study: objects without backgrounds, composited before photographs of scenes.

Which backgrounds there are, how they are cropped, and which scenes are held out, is known in this folder alone.
"""
