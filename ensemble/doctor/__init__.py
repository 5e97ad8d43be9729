"""Is everything there, and does it work: what this machine has for the package, in lines and as JSON.

finding     one thing that was looked at
software    versions, optional packages and what each is for
machine     threads, BLAS, processor, memory, CUDA
places      compiled kernels, rates, temporary files
variables   those of the environment
trial       a tiny re-ranking against its definition, a tiny run from files to submission
"""
