"""What only a GPU is for: images made on it, and its kernels recorded once and launched together."""
