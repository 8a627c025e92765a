// 3x3 convolutions with stride 2 and padding 1, which halve a picture's sides, and their gradients;
// in vectors whatever the chip: a net has two of them, of half the others' work.
//
// With them goes, where it is wanted, the shortcut beside such a convolution (He et al. 2015, arXiv
// 1512.03385 §3.3, option A): every other pixel of every other line, among channels of zeros.
//
// Activations are (N, H, W, C) bf16. H is even, W a multiple of 16, inputs and outputs multiples of
// 16. Sums are in fp32. The same inputs and threads give the same bits.

#include <omp.h>

#include "by_weights.h"
#include "vectors.h"

namespace {

struct Halving {
  int images, height, width, inputs, outputs;  // height and width of what goes in
  int before;  // the shortcut's channels of zeros before those of the input
  Shape into() const { return {images, height, width, inputs}; }
  Shape out() const { return {images, height / 2, width / 2, outputs}; }
  long kernel() const { return 9L * inputs * outputs; }
};

// An input pixel of odd or even line and column: which taps lead to it, from which outputs on.
struct Parity {
  bool line, column;
  int lines() const { return line ? 2 : 1; }
  int columns() const { return column ? 2 : 1; }
  int taps() const { return lines() * columns(); }
  // The tap by which the n-th output, in the order they lie in, leads here.
  static int tap(bool is_odd, int n) { return is_odd ? 2 - 2 * n : 1; }
  int dy(int n) const { return tap(line, n); }
  int dx(int n) const { return tap(column, n); }
};

const Parity PARITIES[] = {{false, false}, {false, true}, {true, false}, {true, true}};

// Sums of many pixels in a line, 16 or 8 at once.
template <class Take>
void multiply_line(Factors factors, int pixels, Take take) {
  const int at_once = pixels % 16 ? 8 : 16;
  const bf16* const left = factors.left;
  for (int x = 0; x < pixels; x += at_once) {
    alignas(64) float sums[16 * SIDE];
    factors.left = left + x * factors.apart;
    at_once == 16 ? multiply<16>(factors, sums) : multiply<8>(factors, sums);
    for (int pixel = 0; pixel < at_once; pixel++) take(row(sums + pixel * SIDE), x + pixel);
  }
}

// The convolution of pictures, one after another.
class Forward {
  const Halving& sizes;
  const Shape from, to;
  Lines<bf16> padded;

 public:
  explicit Forward(const Halving& sizes)
      : sizes(sizes),
        from(sizes.into()),
        to(sizes.out()),
        padded(long(from.height + 1) * from.row() * from.channels) {}

  void run(const bf16* picture, const bf16* weights, bf16* y) {
    const int inputs = sizes.inputs;
    const long row_length = long(from.row()) * inputs;
    for (int line = 0; line < from.height; line++)
      std::memcpy(padded.begin + (line + 1) * row_length + inputs, picture + line * from.line(),
                  from.line() * sizeof(bf16));
    for (int line = 0; line < to.height; line++)
      for (int out = 0; out < sizes.outputs; out += SIDE) {
        const Factors factors{padded.begin + 2 * line * row_length, 2L * inputs, row_length,
                              weights + 9L * inputs * out, 2 * SIDE, 3L * inputs * SIDE,
                              3 * inputs / 2, 3};
        bf16* const here = y + line * to.line() + out;
        multiply_line(factors, to.width, [&](Row sums, int x) {
          narrow16(sums, here + long(x) * sizes.outputs);
        });
      }
  }
};

// The shortcut of a picture.
void cut_short(const Halving& sizes, const bf16* picture, bf16* to) {
  const Shape from = sizes.into(), out = sizes.out();
  std::fill(to, to + out.picture(), 0);
  for (int y = 0; y < out.height; y++)
    for (int x = 0; x < out.width; x++)
      std::memcpy(to + y * out.line() + long(x) * out.channels + sizes.before,
                  picture + 2 * y * from.line() + 2L * x * from.channels, from.channels * sizeof(bf16));
}

// The gradient by what goes in, of pictures one after another.
class ByInput {
  const Halving& sizes;
  const Shape from, to;
  Lines<bf16> padded;  // a line and a column of zeros behind

 public:
  explicit ByInput(const Halving& sizes)
      : sizes(sizes),
        from(sizes.into()),
        to(sizes.out()),
        padded(long(to.height + 1) * (to.width + 1) * to.channels) {}

  // `carried` is the gradient by the shortcut, if there is one.
  void run(const bf16* gradient, const bf16* carried, const bf16* turned, bf16* by_x) {
    const int outputs = sizes.outputs;
    const long row_length = long(to.width + 1) * outputs;
    for (int line = 0; line < to.height; line++)
      std::memcpy(padded.begin + line * row_length, gradient + line * to.line(),
                  to.line() * sizeof(bf16));
    for (const Parity& parity : PARITIES) {
      const long of_line = long(parity.columns()) * outputs;
      for (int line = 0; line < to.height; line++)
        for (int in = 0; in < sizes.inputs; in += SIDE) {
          const Factors factors{padded.begin + line * row_length, outputs, row_length,
                                turned + in * parity.taps() * outputs, 2 * SIDE, of_line * SIDE,
                                int(of_line) / 2, parity.lines()};
          bf16* const here = by_x + (2 * line + parity.line) * from.line() + parity.column * from.channels + in;
          const bool was_taken = carried && !parity.line && !parity.column;
          const bf16* const shortcut = was_taken ? carried + line * to.line() + sizes.before + in : nullptr;
          multiply_line(factors, to.width, [&](Row sums, int x) {
            if (shortcut) sums += widen16(shortcut + long(x) * outputs);
            narrow16(sums, here + 2L * x * from.channels);
          });
        }
      turned += parity.taps() * long(outputs) * sizes.inputs;
    }
  }
};

// The gradient by the weights: inputs as [even or odd column][channel][line][half column], each line
// between zeros, gradients as [pair of positions][channel][2]; some pictures at once.
class ByWeights {
  static const int POSITIONS = 256;
  const Halving& sizes;
  const Shape from, to;
  const int pictures;
  int laid = 0;
  const long line, apart, pitch;
  Lines<bf16> inputs, gradients;

  const bf16* plane(int tap) const { return inputs.begin + (tap % 3 == 1 ? 0 : sizes.inputs * pitch); }

 public:
  explicit ByWeights(const Halving& sizes)
      : sizes(sizes),
        from(sizes.into()),
        to(sizes.out()),
        pictures(std::max(1, POSITIONS / (to.height * to.width))),
        line(to.width + 2),
        apart(line * (from.height + 1)),
        pitch(((pictures * apart + 31) / 32 | 1) * 32),
        inputs(2 * sizes.inputs * pitch),
        gradients(pictures * to.picture()) {}

  // The next picture, and the gradient by what became of it.
  void lay(const bf16* picture, const bf16* gradient, float* sums) {
    for (int y = 0; y < from.height; y++)
      for (int x = 0; x < from.width; x += 16)
        for (int channel = 0; channel < from.channels; channel += SIDE)
          for (int odd = 0; odd < 2; odd++)
            turn(picture + y * from.line() + long(x + odd) * from.channels + channel, 2L * from.channels,
                 inputs.begin + (odd * sizes.inputs + channel) * pitch + laid * apart + (y + 1) * line + x / 2 + odd,
                 pitch);
    bf16* const pairs = gradients.begin + laid * to.picture();
    for (long at = 0; at < to.picture(); at += 2 * to.channels)
      for (int channel = 0; channel < to.channels; channel += SIDE)
        interleave(read(gradient + at + channel), read(gradient + at + to.channels + channel),
                   pairs + at + 2 * channel);
    if (++laid == pictures) finish(sums);
  }

  // Adds up those that lie here.
  void finish(float* sums) {
    for (int in = 0; in < sizes.inputs; in += SIDE)
      for (int out = 0; out < sizes.outputs; out += SIDE)
        for (int tap = 0; tap < 9; tap++, sums += CELLS)
          for (int picture = 0; picture < laid; picture++) {
            const bf16* left = plane(tap) + in * pitch + picture * apart + tap / 3 * line + tap % 3 / 2;
            const Factors factors{left, pitch, 2 * line, gradients.begin + picture * to.picture() + 2 * out,
                                  2L * to.channels, to.line(), to.width / 2, to.height};
            multiply<SIDE, true>(factors, sums);
          }
    laid = 0;
  }
};

}  // namespace

// fp32 weights, any strides, as bf16: forward [16 outputs][line][column][pair of inputs][16][2];
// turned, for the gradient by the inputs, [parity][16 inputs][line][column][pair of outputs][16][2].
extern "C" void pack_halving(const float* begin, const long* strides, int inputs, int outputs,
                             int is_turned, bf16* to) {
  const Weights weights{begin, strides};
  const auto put_pairs = [&](int numbers, auto at) {
    for (int k = 0; k < numbers; k++)
      for (int n = 0; n < SIDE; n++) to[k / 2 * 2 * SIDE + 2 * n + k % 2] = narrow(at(k, n));
    to += numbers * SIDE;
  };
  if (!is_turned) {
    for (int out = 0; out < outputs; out += SIDE)
      for (int tap = 0; tap < 9; tap++)
        put_pairs(inputs, [&](int k, int n) { return weights.at(out + n, k, tap / 3, tap % 3); });
    return;
  }
  for (const Parity& parity : PARITIES)
    for (int in = 0; in < inputs; in += SIDE)
      for (int tap = 0; tap < parity.taps(); tap++) {
        const int dy = parity.dy(tap / parity.columns()), dx = parity.dx(tap % parity.columns());
        put_pairs(outputs, [&](int k, int n) { return weights.at(k, in + n, dy, dx); });
      }
}

// y = the convolution of x by packed weights; and the shortcut of x, if it is wanted.
extern "C" void halve(const bf16* x, const bf16* weights, bf16* y, bf16* shortcut, const Halving* sizes,
                      int threads) {
#pragma omp parallel num_threads(threads)
  {
    Forward forward(*sizes);
    const Share share(sizes->into());
    for (long image = share.begin; image < share.end; image++) {
      const long at = image * sizes->into().picture(), to = image * sizes->out().picture();
      forward.run(x + at, weights, y + to);
      if (shortcut) cut_short(*sizes, x + at, shortcut + to);
    }
  }
}

// The gradients by x and by the weights, fp32 with any strides.
extern "C" void differentiate_halving(const bf16* x, const bf16* by_y, const bf16* by_shortcut,
                                      const bf16* turned, bf16* by_x, float* by_weights,
                                      const long* strides, const Halving* sizes, int threads) {
  Lines<float> parts(sizes->kernel() * threads);
#pragma omp parallel num_threads(threads)
  {
    ByInput by_input(*sizes);
    ByWeights weights(*sizes);
    const Share share(sizes->into());
    float* const part = parts.begin + sizes->kernel() * share.thread;
    for (long image = share.begin; image < share.end; image++) {
      const long at = image * sizes->into().picture(), to = image * sizes->out().picture();
      by_input.run(by_y + to, by_shortcut ? by_shortcut + to : nullptr, turned, by_x + at);
      weights.lay(x + at, by_y + to, part);
    }
    weights.finish(part);
#pragma omp barrier
    add_up<SumsOfTaps>(sizes->inputs, sizes->outputs, parts.begin, share.threads, by_weights, strides);
  }
}
