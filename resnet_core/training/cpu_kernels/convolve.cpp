// 3x3 convolutions, stride 1, padding 1, and their gradients, one at a time.
//
// Activations are (N, H, W, C) bf16, as many channels out as in: 16, or a multiple of 32. W is a
// multiple of 8. Sums are in fp32. The same inputs and threads give the same bits.

#include "convolution.h"

#ifdef TILES_TO_ASK_FOR
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

// What a step multiplies the k-th number of its depth by: where the weights of a block's first
// output lie, or none where the pixel is outside of the kernel.
struct Kernel {
  const float* weights;
  const long* strides;  // of outputs, inputs, rows and columns

  const float* at(const Packing& packing, int step, int block, int k) const {
    const int of_row = step % (packing.steps() / 3), dy = step / (packing.steps() / 3);
    if (packing.together() == 2) {
      const int dx = 2 * of_row + k / SIDE - block;
      return dx < 0 || dx > 2 ? nullptr : one(0, k % SIDE, dy, dx);
    }
    const int channel = of_row * packing.depth + k;
    return one(block * SIDE, channel % packing.channels, dy, channel / packing.channels);
  }

  const float* one(int out, int in, int dy, int dx) const {
    return weights + out * strides[0] + in * strides[1] + dy * strides[2] + dx * strides[3];
  }
};

}  // namespace

// Linux gives a process its tiles when it asks for them; 0 if it did.
extern "C" int ask_for_unit() {
#ifndef TILES_TO_ASK_FOR
  return 0;
#else
  const int ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
  return int(syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA));
#endif
}

// How many numbers packed weights have.
extern "C" long packed_size(int channels) { return Packing{channels}.size(); }

// fp32 weights, any strides, as bf16, packed.
extern "C" void pack(const float* weights, const long* strides, int channels, int threads, bf16* to) {
  const Packing packing{channels};
  const Kernel kernel{weights, strides};
#pragma omp parallel for num_threads(threads)
  for (int step = 0; step < packing.steps(); step++)
    for (int block = 0; block < packing.blocks(); block++)
      for (int k = 0; k < packing.depth; k++) {
        const float* from = kernel.at(packing, step, block, k);
        bf16* const pairs = to + packing.at(step, block) + k / 2 * 2 * SIDE + k % 2;
        for (int n = 0; n < SIDE; n++) pairs[2 * n] = from ? narrow(from[n * strides[0]]) : 0;
      }
}

// y = the convolution of x by packed weights.
extern "C" void convolve(const bf16* x, const bf16* weights, bf16* y, const int* sizes,
                         int threads) {
  const Shape shape{sizes[0], sizes[1], sizes[2], sizes[3]};
#pragma omp parallel num_threads(threads)
  {
    Multiplier multiplier;
    Convolution convolution(shape);
    const Share share(shape);
    for (long image = share.begin; image < share.end; image++) {
      convolution.fill(x + image * shape.picture());
      Writer writer{y + image * shape.picture()};
      convolution.run(weights, writer);
    }
  }
}

// The gradients by x, a convolution by packed weights that are turned, and by the weights, fp32
// with any strides, of x and the gradient by y: both while a picture is in the cache.
extern "C" void differentiate(const bf16* x, const bf16* by_y, const bf16* turned, bf16* by_x,
                              float* by_weights, const long* strides, const int* sizes,
                              int threads) {
  const Shape shape{sizes[0], sizes[1], sizes[2], sizes[3]};
  Lines<float> parts(shape.kernel() * threads);
#pragma omp parallel num_threads(threads)
  {
    Multiplier multiplier;
    Convolution convolution(shape);
    Stack stack(shape);
    const Share share(shape);
    for (long image = share.begin; image < share.end; image++) {
      const long at = image * shape.picture();
      convolution.fill(by_y + at);
      Writer writer{by_x + at};
      convolution.run(turned, writer);
      for (int y = 0; y < shape.height; y++)
        stack.lay(y, x + at + y * shape.line(), by_y + at + y * shape.line());
      stack.next(parts.begin + shape.kernel() * share.thread);
    }
    stack.finish(parts.begin + shape.kernel() * share.thread);
#pragma omp barrier
    add_up(shape.channels, shape.channels, parts.begin, share.threads, by_weights, strides);
  }
}
