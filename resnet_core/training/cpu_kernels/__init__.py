"""Training steps on a CPU that multiplies bf16 (AVX512-BF16, Intel AMX), in code of their own.

Layer by layer a step of a CIFAR net waits for memory as long as it multiplies. `chain.cpp` runs the
blocks of a stage without a pass over memory of its own for batch norm, shortcut and ReLU, and finds
the gradients by inputs and by weights while pictures are in the cache; `stem.cpp` does so with the
layers before them, `strided.cpp` halves pictures' sides, and `convolve.cpp` is for convolutions by
themselves. What they multiply with is in two kinds: `with_vectors.h` is for vectors, whose time is
multiplying, and takes fewer products (`winograd.h`); `with_tiles.h` fills tiles, 32 numbers deep, with
neighbouring pixels where layers have few channels. `use` puts them into a net.
"""
