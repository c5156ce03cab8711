"""What a GPU computes in fewer passes over memory: loops compiled by Triton, the layers that use them, CUDA graphs."""
