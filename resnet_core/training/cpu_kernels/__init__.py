"""Training steps on a CPU that multiplies tiles of bf16 (Intel AMX), in code of their own.

A tile is 32 numbers deep, and layers of CIFAR nets have 16 to 64 channels: a library leaves tiles
half empty. `pictures.h` fills them with neighbouring pixels, `by_weights.h` finds gradients while
pictures are in the cache, and `chain.cpp` runs residual blocks without a pass over memory of its
own for batch norm, shortcut and ReLU. `use` puts them into a net.
"""
