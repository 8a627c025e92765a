// 3x3 convolutions in vectors (AVX512-BF16), and their gradients by the weights.
//
// Such a chip spends its time multiplying, so 2 x 2 results are found at once, from fewer products
// (`winograd.h`). Inputs, gradients and kernels are rounded to bf16 once they are transformed, sums
// are not: what comes out is up to two bf16 steps of the largest value from exact numbers.

#pragma once

#include "by_weights.h"
#include "vectors.h"
#include "winograd.h"

namespace {

struct Multiplier {
  Multiplier() {}  // nothing to set up
};

// How a kernel lies packed: [block of outputs][point][pair of inputs][16 outputs][2].
class Packing {
  const int channels;

 public:
  explicit Packing(int channels) : channels(channels) {}
  long point() const { return long(channels) * SIDE; }
  long block() const { return POINTS * point(); }
  long size() const { return block() * channels / SIDE; }

  // As many parts as `pack` is to be asked for.
  int parts() const { return channels / SIDE; }
  void pack(int part, const Weights& weights, bf16* to) const {
    to += part * block();
    for (int in = 0; in < channels; in += 2, to += 2 * SIDE) {
      Row points[2][POINTS];
      for (int k = 0; k < 2; k++) transform(weights, part * SIDE, in + k, points[k]);
      for (int p = 0; p < POINTS; p++)
        narrow_pairs(points[0][p], points[1][p], to + p * point());
    }
  }

 private:
  // 16 outputs' kernels of an input.
  static void transform(const Weights& weights, int out, int in, Row* points) {
    Row taps[9], half[12];
    for (int tap = 0; tap < 9; tap++)
      for (int n = 0; n < SIDE; n++) taps[tap][n] = weights.at(out + n, in, tap / 3, tap % 3);
    for (int x = 0; x < 3; x++) taps_to_points<3>(taps + x, half + x);
    for (int y = 0; y < 4; y++) taps_to_points(half + 3 * y, points + 4 * y);
  }
};

// A line of four points, of four squares: what is multiplied, 16 outputs of each.
struct LineOfPoints {
  const bf16* left;
  long point, square;  // from point to point, from square to square
  const bf16* right;
  long right_point;
  int pairs;
};

// The two results of the line, of each square, into the first line of `to` and into the second.
__attribute__((noinline)) void multiply_points(const LineOfPoints& line, float* first, float* second) {
  const long point = line.point, square = line.square, thrice = 3 * square;
  const long right_point = line.right_point;
  const bf16 *left[4], *right = line.right;
  Row now[4][4];
#pragma GCC unroll 4
  for (int p = 0; p < 4; p++) left[p] = line.left + p * point;
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) now[i / 4][i % 4] = Row{};
  for (int pair = 0; pair < line.pairs; pair++, right += 2 * SIDE) {
#pragma GCC unroll 4
    for (int p = 0; p < 4; p++) {
      const Pairs each(right + p * right_point);
      now[0][p] = each.added(now[0][p], left[p]);
      now[1][p] = each.added(now[1][p], left[p] + square);
      now[2][p] = each.added(now[2][p], left[p] + 2 * square);
      now[3][p] = each.added(now[3][p], left[p] + thrice);
      left[p] += 2;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    Row results[2];
    to_results(now[i], results);
    put(results[0], first + i * SIDE);
    put(results[1], second + i * SIDE);
  }
}

// Convolves pictures of one shape, one after another: fill `line(0)` to `line(height - 1)`, run.
class Convolution : public Padded {
  static const int AT_ONCE = 16;                      // squares
  static const int SUMS_APART = AT_ONCE * SIDE + 16;  // out of step in the cache, as below
  const Squares squares;
  const Packing packing;
  const long apart;  // numbers of a point
  Lines<bf16> points;  // [point][square][channel]
  Lines<float> sums;   // [line of points][column of results][square][16 outputs]

  void multiply(const bf16* weights) const {
    const long line = 4 * apart, of_line = 4 * packing.point();
    for (int y = 0; y < 4; y++)
      for (int square = 0; square < AT_ONCE; square += 4) {
        const LineOfPoints factors{points.begin + y * line + square * shape.channels, apart, shape.channels,
                                   weights + y * of_line, packing.point(), shape.channels / 2};
        float* const to = sums.begin + 2 * y * SUMS_APART + square * SIDE;
        multiply_points(factors, to, to + SUMS_APART);
      }
  }

  void transform(int first) const {
    const int channels = shape.channels, end = std::min(first + AT_ONCE, squares.number());
    const long line = long(shape.row()) * channels;
    for (int channel = 0; channel < channels; channel += SIDE) {
      Window window;
      bf16* to = points.begin + channel;
      for (int square = first; square < end; square += 2, to += 2 * channels) {
        const int x = square % squares.in_line, y = square / squares.in_line;
        const bf16* const from = padded.begin + 2 * y * line + 2L * x * channels + channel;
        Row found[2][POINTS];
        window.read(from, channels, line, x == 0 || square == first, found[0]);
        window.read(from + 2 * channels, channels, line, false, found[1]);
#pragma GCC unroll 16
        for (int p = 0; p < POINTS; p++) narrow_two(found[0][p], found[1][p], to + p * apart, channels);
      }
    }
  }

  template <class Taker>
  void give(int first, int channel, Taker& taker) const {
    const int end = std::min(first + AT_ONCE, squares.number());
    auto at_work = taker.at(channel);
    const float* from = sums.begin;
    for (int square = first; square < end; square++, from += SIDE) {
      const int x = square % squares.in_line * 2, y = square / squares.in_line * 2;
      Row lines[4 * 2], results[2 * 2];
      for (int i = 0; i < 4 * 2; i++) lines[i] = row(from + i * SUMS_APART);
      for (int column = 0; column < 2; column++) to_results<2>(lines + column, results + column);
      const long place = y * shape.line() + long(x) * shape.channels + channel;
      for (int i = 0; i < 4 && y + i / 2 < shape.height; i++)
        at_work.take(results[i], place + i / 2 * shape.line() + i % 2 * shape.channels);
    }
    taker.done(channel, at_work);
  }

 public:
  explicit Convolution(const Shape& shape)
      : Padded(shape, shape.row()),
        squares(shape),
        packing(shape.channels),
        apart(AT_ONCE * shape.channels + 32),
        points(POINTS * apart),
        sums(4 * 2 * SUMS_APART) {}

  // `taker.at(channel)` is handed the sums of 16 channels, pixel by pixel, with where they belong
  // in the picture; `taker.done(channel, …)` gets it back after some of them.
  template <class Taker>
  void run(const bf16* weights, Taker& taker) const {
    for (int first = 0; first < squares.number(); first += AT_ONCE) {
      transform(first);
      for (int block = 0; block < packing.parts(); block++) {
        multiply(weights + block * packing.block());
        give(first, block * SIDE, taker);
      }
    }
  }
};

// For the gradient by the weights: inputs and gradients of squares, transformed, both as
// [point][pair of squares][channel][2].
//
// sums[point][input block][output block][16 inputs][16 outputs] is what it adds to.
class Stack {
  static const int FEWEST_SQUARES = 64;  // pictures are added up together until there are so many
  const Shape& shape;
  const Squares squares;
  const int pictures;
  int laid = 0;
  const long apart;  // numbers of a point
  Padded inputs;
  const bf16* gradients = nullptr;  // the picture's first line, as a padded picture holds it
  Lines<bf16> of_inputs, of_gradients;

  // 16 points of two squares, in pairs.
  void put_pairs(const Row* one, const Row* other, bf16* to) const {
#pragma GCC unroll 16
    for (int p = 0; p < POINTS; p++) narrow_pairs(one[p], other[p], to + p * apart);
  }

  void transform_inputs(int y, int channel, long to) {
    const long pixel = shape.channels, line = shape.row() * pixel;
    const bf16* from = inputs.line(2 * y - 1) - pixel + channel;
    Window window;
    for (int x = 0; x < squares.in_line; x += 2, from += 4 * pixel, to += 2 * pixel) {
      Row points[2][POINTS];
      window.read(from, pixel, line, x == 0, points[0]);
      window.read(from + 2 * pixel, pixel, line, false, points[1]);
      put_pairs(points[0], points[1], of_inputs.begin + to);
    }
  }

  void transform_gradients(int y, int channel, long to) {
    const long pixel = shape.channels, line = shape.row() * pixel;
    const bf16 *first = gradients + 2 * y * line + channel, *second = first + line;
    for (int x = 0; x < squares.in_line; x += 2, to += 2 * pixel) {
      Row points[2][POINTS];
      for (int one = 0; one < 2; one++, first += 2 * pixel, second += 2 * pixel) {
        const Row results[] = {widen16(first), widen16(first + pixel), widen16(second), widen16(second + pixel)};
        Row half[2 * 4];
        for (int column = 0; column < 2; column++) back_to_points<2>(results + column, half + column);
        for (int i = 0; i < 4; i++) back_to_points(half + 2 * i, points[one] + 4 * i);
      }
      put_pairs(points[0], points[1], of_gradients.begin + to);
    }
  }

  void add(float* sums) {
    const int channels = shape.channels;
    for (int p = 0; p < POINTS; p++)
      for (int in = 0; in < channels; in += SIDE)
        for (int out = 0; out < channels; out += SIDE, sums += CELLS) {
          const Factors factors{of_inputs.begin + p * apart + 2 * in, 2, 0,
                                of_gradients.begin + p * apart + 2 * out, 2 * channels, 0,
                                laid * squares.number() / 2, 1, 2 * channels};
          multiply<SIDE, true>(factors, sums);
        }
    laid = 0;
  }

 public:
  using Sums = SumsOfPoints;

  explicit Stack(const Shape& shape)
      : shape(shape),
        squares(shape),
        pictures(std::max(1, FEWEST_SQUARES / squares.number())),
        apart(long(pictures) * squares.number() * shape.channels + 32),
        inputs(shape, shape.row()),
        of_inputs(POINTS * apart),
        of_gradients(POINTS * apart) {}

  // Where a line of inputs may be written before it is laid.
  bf16* line(int y) { return inputs.line(y); }

  // One line of the next picture: the layer's input, and the gradient by its output, which stays in
  // its padded picture until `next`.
  void lay(int y, const bf16* input, const bf16* gradient) {
    if (input != line(y)) std::memcpy(line(y), input, shape.line() * sizeof(bf16));
    if (y == 0) gradients = gradient;
  }

  // The picture is laid: adds up those that lie here once there are enough.
  void next(float* sums) {
    for (int y = 0; y < squares.lines; y++)
      for (int channel = 0; channel < shape.channels; channel += SIDE) {
        const long to = (long(laid) * squares.number() + y * squares.in_line) * shape.channels + 2 * channel;
        transform_inputs(y, channel, to);
        transform_gradients(y, channel, to);
      }
    if (++laid == pictures) add(sums);
  }

  // Adds up those that are left.
  void finish(float* sums) { add(sums); }
};

}  // namespace
