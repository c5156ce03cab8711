"""What a CPU computes in bfloat16 in fewer passes over memory: loops compiled by Numba, the layers that use them."""
