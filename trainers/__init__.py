"""What one trial computes: images, augmentation, networks, losses, one training, its evaluation."""
