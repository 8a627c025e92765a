// 3x3 convolutions, stride 1, padding 1, and their gradients, one at a time.
//
// Activations are (N, H, W, C) bf16, as many channels out as in: 16, or a multiple of 32. W is a
// multiple of 8. Sums are in fp32. The same inputs and threads give the same bits.

#include "by_weights.h"

#ifndef EMULATE_TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

// Nearest bf16, ties to even.
bf16 narrow(float number) {
  uint32_t bits;
  std::memcpy(&bits, &number, 4);
  return bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// What a step multiplies the k-th number of its depth by: where the weights of a block's first
// output lie, or none where the pixel is outside of the kernel.
struct Kernel {
  const float* weights;
  const long* strides;  // of outputs, inputs, rows and columns

  const float* at(const Shape& shape, int step, int block, int k) const {
    const int of_row = step % (shape.steps() / 3), dy = step / (shape.steps() / 3);
    if (shape.together() == 2) {
      const int dx = 2 * of_row + k / SIDE - block;
      return dx < 0 || dx > 2 ? nullptr : one(0, k % SIDE, dy, dx);
    }
    const int channel = of_row * DEPTH + k;
    return one(block * SIDE, channel % shape.channels, dy, channel / shape.channels);
  }

  const float* one(int out, int in, int dy, int dx) const {
    return weights + out * strides[0] + in * strides[1] + dy * strides[2] + dx * strides[3];
  }
};

}  // namespace

// Linux gives a process its tiles when it asks for them; 0 if it did.
extern "C" int ask_for_tiles() {
#ifdef EMULATE_TILES
  return 0;
#else
  const int ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
  return int(syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA));
#endif
}

// How many numbers packed weights have.
extern "C" long packed_size(int channels) { return Shape{0, 0, 0, channels}.packed(); }

// fp32 weights, any strides, as tiles of bf16: [step][block of outputs][16 pairs][16 outputs][2].
extern "C" void pack(const float* weights, const long* strides, int channels, bf16* to) {
  const Shape shape{0, 0, 0, channels};
  const Kernel kernel{weights, strides};
  for (int step = 0; step < shape.steps(); step++)
    for (int block = 0; block < shape.blocks(); block++, to += NUMBERS)
      for (int k = 0; k < DEPTH; k++) {
        const float* from = kernel.at(shape, step, block, k);
        for (int n = 0; n < SIDE; n++)
          to[k / 2 * DEPTH + n * 2 + k % 2] = from ? narrow(from[n * strides[0]]) : 0;
      }
}

// y = the convolution of x by packed weights.
extern "C" void convolve(const bf16* x, const bf16* weights, bf16* y, const int* sizes,
                         int threads) {
  const Shape shape{sizes[0], sizes[1], sizes[2], sizes[3]};
#pragma omp parallel num_threads(threads)
  {
    Tiles tiles;
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
    Tiles tiles;
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
    add_up(shape, parts.begin, share.threads, by_weights, strides);
  }
}
