// 3x3 convolutions, stride 1, padding 1, and their gradients, one at a time.
//
// Activations are (N, H, W, C) bf16, as many channels out as in: 16, or a multiple of 32. W is a
// multiple of 8. Sums are in fp32. The same inputs and threads give the same bits.

#include "convolution.h"

#ifdef TILES_TO_ASK_FOR
#include <sys/syscall.h>
#include <unistd.h>
#endif

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

// fp32 weights of layers, any strides, as bf16, packed one layer after another.
extern "C" void pack(const float* weights, int layers, const long* strides, int channels, int threads,
                     bf16* to) {
  const Packing packing{channels};
#pragma omp parallel for num_threads(threads) collapse(2)
  for (int layer = 0; layer < layers; layer++)
    for (int part = 0; part < packing.parts(); part++)
      packing.pack(part, {weights + layer * strides[0], strides + 1}, to + layer * packing.size());
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
  const long size = long(Stack::Sums::NUMBER) * shape.channels * shape.channels;
  Lines<float> parts(size * threads);
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
        stack.lay(y, x + at + y * shape.line(), convolution.line(y));
      stack.next(parts.begin + size * share.thread);
    }
    stack.finish(parts.begin + size * share.thread);
#pragma omp barrier
    add_up<Stack::Sums>(shape.channels, shape.channels, parts.begin, share.threads, by_weights, strides);
  }
}
