// Convolutions are there twice, for what this chip multiplies bf16 with: `with_tiles.h` for tiles of
// a chip that has some, `with_vectors.h` for any other. Both give the same:
//
//   Multiplier   to be there while a thread multiplies
//   Packing      how a kernel lies packed
//   Convolution  fill its lines with a picture, and run it with packed weights
//   Stack        collects lines of inputs and of gradients, and adds up the gradient by the weights

#pragma once

#ifdef WITH_TILES
#include "with_tiles.h"
#else
#include "with_vectors.h"
#endif
