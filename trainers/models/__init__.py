"""The built-in networks. Each is made by (num_classes, width) and maps images_BCHW to a tuple of logits, the finest, at
full size, first."""
