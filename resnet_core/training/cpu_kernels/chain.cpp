// Residual blocks of one shape, one after another, forward and backward (He et al. 2015, arXiv
// 1512.03385 Fig. 2, and without the shortcut its plain control; batch norm as Ioffe and Szegedy
// 2015, arXiv 1502.03167, Alg. 1).
//
// Layer by layer a step reads and writes each activation a dozen times, and waits for memory. Here
// a convolution's sums are added up for batch norm as they are written, and normalised, added to
// and cut off at zero while the next convolution reads them; backward likewise. Of a block memory
// holds both convolutions' outputs, as bf16, and what comes out of it.

#include "convolution.h"
#include "norm.h"

namespace {

// Backward, between a block's convolutions: the gradient by the first one's normalised output,
// where that is positive; adds up what batch norm needs of it.
struct InnerGradient {
  bf16* to;
  const bf16* y;
  const Norm& norm;
  Sums& sums;
  struct At {
    bf16* to;
    const bf16* y;
    Row scale, shift, mean;
    Pair pair;
    void take(Row gradient, long place) {
      const Row value = widen16(y + place);
      gradient = where_positive(value * scale + shift, gradient);
      narrow16(gradient, to + place);
      pair.first += gradient;
      pair.second += gradient * (value - mean);
    }
  };
  At at(int channel) const {
    return {to, y, row(norm.scale.begin + channel), row(norm.shift.begin + channel),
            row(norm.middle.begin + channel), sums.at(channel)};
  }
  void done(int channel, const At& at) { sums.keep(channel, at.pair); }
};

// Backward, between blocks: the shortcut's gradient is added; then as between convolutions, where
// the block before gave something positive.
struct OuterGradient {
  bf16* to;
  const bf16 *carried, *input, *y;  // carried: none in plain nets
  const Norm& norm;
  Sums& sums;
  struct At {
    bf16* to;
    const bf16 *carried, *input, *y;
    Row mean;
    Pair pair;
    void take(Row gradient, long place) {
      if (carried) gradient += widen16(carried + place);
      gradient = where_positive(widen16(input + place), gradient);
      narrow16(gradient, to + place);
      pair.first += gradient;
      pair.second += gradient * (widen16(y + place) - mean);
    }
  };
  At at(int channel) const {
    return {to, carried, input, y, row(norm.middle.begin + channel), sums.at(channel)};
  }
  void done(int channel, const At& at) { sums.keep(channel, at.pair); }
};

// Backward, into what came before all blocks.
struct LastGradient {
  bf16* to;
  const bf16* carried;
  struct At {
    bf16* to;
    const bf16* carried;
    void take(Row gradient, long place) {
      if (carried) gradient += widen16(carried + place);
      narrow16(gradient, to + place);
    }
  };
  At at(int) const { return {to, carried}; }
  void done(int, const At&) const {}
};

// What is handed over from Python; `kept` are pictures of (convolution 1, convolution 2, block),
// without the last block's, which are `out`. Layers are the convolutions, two a block.
//
// The first block may change the shape. Its first convolution is found elsewhere then, `first`, and
// `x` is its shortcut; nothing is kept of that layer, and it has no weights here.
struct Chain {
  int sizes[4], blocks, is_residual, threads;
  float eps;
  const bf16 *x, *first, *weights;  // weights packed, backward turned, [layer]
  const float *gamma, *beta;  // [layer][channel], as all below
  bf16 *kept, *out;
  float *mean, *variance;  // forward, the mean is a guess of itself to begin with
  const bf16* gradient;
  bf16 *work, *to_x;  // work: two of all pictures; to_x: by `first`, where that is given
  float *to_weights, *to_gamma, *to_beta;  // weights: [layer][out][3][3][in]
};

const long LINE = 64 / sizeof(bf16);  // numbers in a line of the cache

struct Run {
  const Chain& chain;
  const Shape shape;
  const int layers, given;  // given: of the layers, the first ones that are found elsewhere
  std::vector<Norm> norms;
  Totals totals;

  explicit Run(const Chain& chain)
      : chain(chain),
        shape{chain.sizes[0], chain.sizes[1], chain.sizes[2], chain.sizes[3]},
        layers(2 * chain.blocks),
        given(chain.first != nullptr),
        totals(shape.channels, chain.threads) {
    for (int layer = 0; layer < layers; layer++) norms.emplace_back(shape.channels);
  }

  double values() const { return double(shape.images) * shape.height * shape.width; }
  const bf16* weights(int layer) const {
    return chain.weights + (layer - given) * Packing{shape.channels}.size();
  }
  bf16* kept(int place) const { return chain.kept + (place - given) * shape.numbers(); }
  const bf16* convolved(int layer) const { return layer < given ? chain.first : kept(layer + layer / 2); }
  bf16* made_by(int block) const { return block == chain.blocks - 1 ? chain.out : kept(3 * block + 2); }
  const bf16* given_to(int block) const { return block ? made_by(block - 1) : chain.x; }
  const bf16* shortcut_of(int block) const { return chain.is_residual ? given_to(block) : nullptr; }

  // A line comes into the cache by the time it is needed, a picture later. It may lie behind the last
  // picture, which is no error. Compilers leave out functions that do nothing but this, if they may.
  void expect_read(const bf16* line) const {
    for (long at = 0; at < shape.line(); at += LINE) asm volatile("prefetcht1 %0" : : "m"(line[at]));
  }
  void expect_written(const bf16* line) const {
    for (long at = 0; at < shape.line(); at += LINE) asm volatile("prefetchw %0" : : "m"(line[at]));
  }

  Learned learned(int layer) const {
    const long at = long(layer) * shape.channels;
    return {chain.gamma + at, chain.beta + at, chain.mean + at, chain.variance + at, chain.eps};
  }
};

// Forward, by all threads at once.
class Forward : Run {
  // One line of what a block gives, from its second convolution and its input.
  void make(int block, long at, bf16* to, bf16* also) const {
    const bf16* shortcut = shortcut_of(block);
    activate(convolved(2 * block + 1) + at, norms[2 * block + 1], shortcut ? shortcut + at : nullptr,
             shape.channels, shape.width, to, also);
  }

  // What batch norm needs of a layer that is found elsewhere.
  void measure(int layer, long picture, Sums& sums) const {
    const long channels = shape.channels;
    for (int channel = 0; channel < channels; channel += SIDE) {
      const Row around = row(norms[layer].middle.begin + channel);
      const bf16 *at = convolved(layer) + picture + channel, *const end = at + shape.picture();
      Pair pair = sums.at(channel);
      for (; at < end; at += channels) {
        const Row value = widen16(at) - around;
        pair.first += value;
        pair.second += value * value;
      }
      sums.keep(channel, pair);
    }
  }

  void convolve(Convolution& convolution, int layer, long picture, Sums& sums) const {
    fill(convolution, layer, picture);
    Measurer measurer{kept(layer + layer / 2) + picture, norms[layer].middle.begin, sums};
    convolution.run(weights(layer), measurer);
  }

  void fill(Convolution& convolution, int layer, long picture) const {
    if (!layer) return convolution.fill(chain.x + picture);
    for (int y = 0; y < shape.height; y++) {
      const long at = picture + y * shape.line();
      expect(layer, at + shape.picture());
      if (layer % 2)
        activate(convolved(layer - 1) + at, norms[layer - 1], nullptr, shape.channels, shape.width,
                 convolution.line(y), nullptr);
      else
        make(layer / 2 - 1, at, convolution.line(y), made_by(layer / 2 - 1) + at);
    }
  }

  void expect(int layer, long at) const {
    const bf16* shortcut = layer % 2 ? nullptr : shortcut_of(layer / 2 - 1);
    expect_read(convolved(layer - 1) + at);
    expect_written(kept(layer + layer / 2) + at);
    if (shortcut) expect_read(shortcut + at);
  }

 public:
  explicit Forward(const Chain& chain) : Run(chain) {
    for (int layer = 0; layer < layers; layer++) norms[layer].look_around(learned(layer));
  }

  void run() {
    Multiplier multiplier;
    Convolution convolution(shape);
    Sums sums(shape.channels);
    const Share share(shape);
    for (int layer = 0; layer < layers; layer++) {
      totals.clear(share.thread);
      for (long image = share.begin; image < share.end; image++) {
        const long picture = image * shape.picture();
        if (layer < given)
          measure(layer, picture, sums);
        else
          convolve(convolution, layer, picture, sums);
        sums.add_to(totals.of(share.thread));
      }
#pragma omp barrier
#pragma omp single
      norms[layer].settle(learned(layer), totals, values());
    }
    for (long line = share.begin * shape.height; line < share.end * shape.height; line++)
      make(chain.blocks - 1, line * shape.line(), chain.out + line * shape.line(), nullptr);
  }
};

// Backward, by all threads at once. `outer` holds the gradient by what a block gives where that is
// positive, `inner` the one between its convolutions.
class Backward : Run {
  bf16 *const outer, *const inner;
  const long size;     // of a thread's part
  Lines<float> parts;  // [thread], as a stack adds up

  void settle_norm(int layer) {
    const long at = long(layer) * shape.channels;
    norms[layer].settle_back(learned(layer), totals, values(), chain.to_gamma + at, chain.to_beta + at);
  }

  // The gradient by what all blocks give, where that is positive.
  void begin(const Share& share, Sums& sums) {
    const Norm& norm = norms[layers - 1];
    // Of their own: what is written might be anything else, for all a compiler knows.
    const bf16 *const y = convolved(layers - 1), *const out = chain.out, *const by_out = chain.gradient;
    bf16* const to = outer;
    const long channels = shape.channels, picture = shape.picture();
    totals.clear(share.thread);
    for (long image = share.begin; image < share.end; image++) {
      for (int channel = 0; channel < channels; channel += SIDE) {
        Pair pair = sums.at(channel);
        const Row mean = row(norm.middle.begin + channel);
        const long end = (image + 1) * picture;
        for (long at = image * picture + channel; at < end; at += channels) {
          const Row gradient = where_positive(widen16(out + at), widen16(by_out + at));
          narrow16(gradient, to + at);
          pair.first += gradient;
          pair.second += gradient * (widen16(y + at) - mean);
        }
        sums.keep(channel, pair);
      }
      sums.add_to(totals.of(share.thread));
    }
#pragma omp barrier
  }

  void lay(Convolution& convolution, Stack& stack, int layer, long picture) const {
    const bf16* gradient = layer % 2 ? outer : inner;
    const bf16* input = given_to(layer / 2);
    for (int y = 0; y < shape.height; y++) {
      const long at = picture + y * shape.line();
      expect(layer, at + shape.picture());
      before_norm(gradient + at, convolved(layer) + at, norms[layer], shape.channels, shape.width,
                  convolution.line(y));
      if (layer % 2)
        activate(convolved(layer - 1) + at, norms[layer - 1], nullptr, shape.channels, shape.width,
                 stack.line(y), nullptr);
      stack.lay(y, layer % 2 ? stack.line(y) : input + at, convolution.line(y));
    }
  }

  void expect(int layer, long at) const {
    expect_read((layer % 2 ? outer : inner) + at);
    expect_read(convolved(layer) + at);
    if (layer) expect_read(convolved(layer - 1) + at);
    layer % 2 ? expect_written(inner + at) : expect_read(given_to(layer / 2) + at);
  }

  void go_back(const Convolution& convolution, int layer, long at, Sums& sums) const {
    const bf16* carried = chain.is_residual ? outer + at : nullptr;
    if (layer % 2) {
      InnerGradient taker{inner + at, convolved(layer - 1) + at, norms[layer - 1], sums};
      convolution.run(weights(layer), taker);
    } else if (layer) {
      OuterGradient taker{outer + at, carried, given_to(layer / 2) + at, convolved(layer - 1) + at,
                          norms[layer - 1], sums};
      convolution.run(weights(layer), taker);
    } else {
      LastGradient taker{chain.to_x + at, carried};
      convolution.run(weights(layer), taker);
    }
  }

 public:
  explicit Backward(const Chain& chain)
      : Run(chain),
        outer(chain.work),
        inner(chain.work + shape.numbers()),
        size(long(Stack::Sums::NUMBER) * shape.channels * shape.channels),
        parts(size * chain.threads) {
    for (int layer = 0; layer < layers; layer++) norms[layer].look_back(learned(layer));
  }

  void run() {
    Multiplier multiplier;
    Convolution convolution(shape);
    Stack stack(shape);
    Sums sums(shape.channels);
    const long strides[] = {9L * shape.channels, 1, 3L * shape.channels, shape.channels};
    const Share share(shape);
    float* const part = parts.begin + size * share.thread;
    begin(share, sums);
    for (int layer = layers - 1; layer >= given; layer--) {
#pragma omp single
      settle_norm(layer);
      std::fill(part, part + size, 0);
      totals.clear(share.thread);
      for (long image = share.begin; image < share.end; image++) {
        lay(convolution, stack, layer, image * shape.picture());
        go_back(convolution, layer, image * shape.picture(), sums);
        sums.add_to(totals.of(share.thread));
        stack.next(part);
      }
      stack.finish(part);
#pragma omp barrier
      add_up<Stack::Sums>(shape.channels, shape.channels, parts.begin, share.threads,
                          chain.to_weights + (layer - given) * shape.kernel(), strides);
    }
    if (!given) return;
#pragma omp single
    settle_norm(0);
    const int pixels = int(share.end - share.begin) * shape.height * shape.width;
    const long at = share.begin * shape.picture();
    before_norm(inner + at, chain.first + at, norms[0], shape.channels, pixels, chain.to_x + at);
  }
};

}  // namespace

extern "C" void chain_forward(const Chain* chain) { run_by_all<Forward>(*chain); }

extern "C" void chain_backward(const Chain* chain) { run_by_all<Backward>(*chain); }
