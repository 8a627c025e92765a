// The first layers of a net as one operation, forward and backward: a 3x3 convolution of a picture's
// three channels, batch norm and ReLU; in vectors whatever the chip.
//
// Three channels fill no tile and no vector, but the nine numbers that a line of a kernel meets lie
// one behind another: five pairs. Values are added up for batch norm as they are written, and the
// gradient by them is found where it is used, and never kept.
//
// Pictures are (N, H, W, 3) fp32, W a multiple of 16; there are 16 outputs, (N, H, W, 16) bf16. The
// same inputs and threads give the same bits.

#include "norm.h"
#include "vectors.h"

namespace {

const int COLOURS = 3, IN_LINE = 3 * COLOURS;  // numbers in a line of a kernel
const int PAIRS = (IN_LINE + 1) / 2;           // the last of them with a weight of 0

// What is handed over from Python.
struct Stem {
  int images, height, width, threads;
  float eps;
  const float* x;
  const long* strides;  // of the weight
  const float *weight, *gamma, *beta;
  bf16 *y, *out;  // what the convolution gives, and what comes out
  float *mean, *variance;
  const bf16* gradient;
  float *to_weight, *to_gamma, *to_beta;  // the first as the weight lies
};

// A picture as its convolution sees it, in bf16, and in a border of zeros.
template <class Number>
class Picture {
  const Shape& shape;
  Lines<Number> padded;

  static void write(Halves halves, bf16* to) { std::memcpy(to, &halves, sizeof halves); }
  static void write(Halves halves, float* to) { put(widened(halves), to); }

 public:
  // The last pair of numbers reaches behind the picture.
  explicit Picture(const Shape& shape)
      : shape(shape), padded(long(shape.height + 2) * shape.row() * COLOURS + 1) {}

  const Number* line(int y) const { return padded.begin + long(y) * shape.row() * COLOURS; }

  void fill(const float* picture) {
    for (int y = 0; y < shape.height; y++) {
      Number* const to = padded.begin + (long(y + 1) * shape.row() + 1) * COLOURS;
      const float* const from = picture + y * shape.line();
      for (int at = 0; at < shape.line(); at += SIDE) write(narrowed(row(from + at)), to + at);
    }
  }
};

struct Layers {
  const Stem& stem;
  const Shape into, shape;
  Norm norm;
  Totals totals;

  explicit Layers(const Stem& stem)
      : stem(stem),
        into{stem.images, stem.height, stem.width, COLOURS},
        shape{stem.images, stem.height, stem.width, SIDE},
        norm(SIDE),
        totals(SIDE, stem.threads) {}

  Learned learned() const { return {stem.gamma, stem.beta, stem.mean, stem.variance, stem.eps}; }
  double values() const { return double(shape.images) * shape.height * shape.width; }
};

// Forward, by all threads at once.
class Forward : Layers {
  Lines<bf16> packed;  // [line][pair][16 outputs][2]

  void pack() {
    const Weights weights{stem.weight, stem.strides};
    for (int dy = 0; dy < 3; dy++)
      for (int k = 0; k < IN_LINE; k++)
        for (int out = 0; out < SIDE; out++)
          packed.begin[((dy * PAIRS + k / 2) * SIDE + out) * 2 + k % 2] =
              narrow(weights.at(out, k % COLOURS, dy, k / COLOURS));
  }

  void convolve(const Picture<bf16>& input, long picture, Sums& sums) const {
    Measurer measurer{stem.y + picture, norm.middle.begin, sums};
    auto at_work = measurer.at(0);
    for (int y = 0; y < shape.height; y++)
      for (int x = 0; x < shape.width; x += SIDE) {
        const Factors factors{input.line(y) + x * COLOURS, COLOURS,
                              long(into.row()) * COLOURS, packed.begin, 2 * SIDE, 2L * SIDE * PAIRS,
                              PAIRS, 3};
        alignas(64) float found[SIDE * SIDE];
        multiply<SIDE>(factors, found);
        for (int pixel = 0; pixel < SIDE; pixel++)
          at_work.take(row(found + pixel * SIDE), y * shape.line() + (x + pixel) * SIDE);
      }
    measurer.done(0, at_work);
  }

 public:
  explicit Forward(const Stem& stem) : Layers(stem), packed(3 * PAIRS * SIDE * 2) {
    pack();
    norm.look_around(learned());
  }

  void run() {
    Picture<bf16> input(into);
    Sums sums(SIDE);
    const Share share(shape);
    for (long image = share.begin; image < share.end; image++) {
      input.fill(stem.x + image * into.picture());
      convolve(input, image * shape.picture(), sums);
      sums.add_to(totals.of(share.thread));
    }
#pragma omp barrier
#pragma omp single
    norm.settle(learned(), totals, values());
    const long at = share.begin * shape.picture();
    const int pixels = int(share.end - share.begin) * shape.height * shape.width;
    activate(stem.y + at, norm, nullptr, SIDE, pixels, stem.out + at, nullptr);
  }
};

// Backward, by all threads at once. Nobody asks for the gradient by the pictures.
class Backward : Layers {
  static const int SUMS = 3 * IN_LINE * SIDE;  // [line][column and colour][16 outputs]
  Lines<float> parts;                          // [thread]

  // What batch norm needs of the gradient where something positive came out.
  void measure(const Share& share) {
    const Row scale = row(norm.scale.begin), shift = row(norm.shift.begin),
              mean = row(norm.middle.begin);
    Sums sums(SIDE);
    for (long image = share.begin; image < share.end; image++) {
      const long begin = image * shape.picture(), end = begin + shape.picture();
      Pair pair = sums.at(0);
      for (long at = begin; at < end; at += SIDE) {
        const Row value = widen16(stem.y + at);
        const Row gradient = where_positive(value * scale + shift, widen16(stem.gradient + at));
        pair.first += gradient;
        pair.second += gradient * (value - mean);
      }
      sums.keep(0, pair);
      sums.add_to(totals.of(share.thread));
    }
  }

  // The gradient by what the convolution gives, of one line.
  void go_back(long at, float* to) const {
    const Row scale = row(norm.scale.begin), shift = row(norm.shift.begin),
              of_y = row(norm.of_y.begin), rest = row(norm.rest.begin);
    for (long end = at + shape.line(); at < end; at += SIDE, to += SIDE) {
      const Row value = widen16(stem.y + at);
      const Row gradient = where_positive(value * scale + shift, widen16(stem.gradient + at));
      put(gradient * scale + value * of_y + rest, to);
    }
  }

  // What a line of the picture adds to the gradient by a line of the kernel.
  static void add(const float* input, const float* gradient, int pixels, float* to) {
    Row sums[IN_LINE];
#pragma GCC unroll 9
    for (int k = 0; k < IN_LINE; k++) sums[k] = row(to + k * SIDE);
    for (int pixel = 0; pixel < pixels; pixel++, input += COLOURS) {
      const Row each = row(gradient + pixel * SIDE);
#pragma GCC unroll 9
      for (int k = 0; k < IN_LINE; k++) sums[k] += each * input[k];
    }
#pragma GCC unroll 9
    for (int k = 0; k < IN_LINE; k++) put(sums[k], to + k * SIDE);
  }

  void add_pictures(const Share& share, float* part) const {
    Picture<float> input(into);
    Lines<float> line(shape.line()), of_picture(SUMS);
    for (long image = share.begin; image < share.end; image++) {
      input.fill(stem.x + image * into.picture());
      for (int y = 0; y < shape.height; y++) {
        go_back(image * shape.picture() + y * shape.line(), line.begin);
        for (int dy = 0; dy < 3; dy++)
          add(input.line(y + dy), line.begin, shape.width, of_picture.begin + dy * IN_LINE * SIDE);
      }
      for (int i = 0; i < SUMS; i++) part[i] += of_picture.begin[i];
      of_picture.clear();
    }
  }

  // All threads' parts, where the weight's gradient lies.
  void add_up() const {
    for (int i = 0; i < SUMS; i++) {
      float sum = 0;
      for (int thread = 0; thread < stem.threads; thread++) sum += parts.begin[thread * SUMS + i];
      const int out = i % SIDE, k = i / SIDE % IN_LINE, dy = i / SIDE / IN_LINE;
      const long* strides = stem.strides;
      stem.to_weight[out * strides[0] + k % COLOURS * strides[1] + dy * strides[2] +
                     k / COLOURS * strides[3]] = sum;
    }
  }

 public:
  explicit Backward(const Stem& stem) : Layers(stem), parts(long(SUMS) * stem.threads) {
    norm.look_back(learned());
  }

  void run() {
    const Share share(shape);
    measure(share);
#pragma omp barrier
#pragma omp single
    norm.settle_back(learned(), totals, values(), stem.to_gamma, stem.to_beta);
    add_pictures(share, parts.begin + share.thread * SUMS);
#pragma omp barrier
#pragma omp single
    add_up();
  }
};

}  // namespace

extern "C" void stem_forward(const Stem* stem) { run_by_all<Forward>(*stem); }

extern "C" void stem_backward(const Stem* stem) { run_by_all<Backward>(*stem); }
