// 3x3 convolutions in vectors (AVX512-BF16), and their gradients by the weights.

#pragma once

#include "by_weights.h"
#include "vectors.h"

namespace {

struct Multiplier {
  Multiplier() {}  // nothing to set up
};

// How a kernel lies packed: [block of outputs][tap and 16 of its inputs][8 pairs][16 outputs][2].
struct Packing {
  static const int depth = SIDE;
  int channels;
  int together() const { return 1; }
  int blocks() const { return channels / SIDE; }
  int steps() const { return 9 * blocks(); }
  long size() const { return 9L * channels * channels; }
  long at(int step, int block) const { return (long(block) * steps() + step) * depth * SIDE; }
};

// Convolves pictures of one shape, one after another: fill `line(0)` to `line(height - 1)`, run.
class Convolution : public Padded {
  template <int PIXELS, class Taker>
  void find(int y, int x, int block, const bf16* weights, Taker& taker) const {
    const int channels = shape.channels;
    const long row_length = long(shape.row()) * channels;
    const Factors factors{padded.begin + y * row_length + long(x) * channels,
                          channels, row_length, weights, 2 * SIDE, 3L * channels * SIDE,
                          3 * channels / 2, 3};
    alignas(64) float sums[PIXELS * SIDE];
    multiply<PIXELS>(factors, sums);
    auto at_work = taker.at(block * SIDE);
    const long place = y * shape.line() + long(x) * channels + block * SIDE;
    for (int pixel = 0; pixel < PIXELS; pixel++)
      at_work.take(row(sums + pixel * SIDE), place + pixel * channels);
    taker.done(block * SIDE, at_work);
  }

  template <int PIXELS, class Taker>
  void find_all(const bf16* weights, Taker& taker) const {
    const Packing packing{shape.channels};
    for (int y = 0; y < shape.height; y++)
      for (int x = 0; x < shape.width; x += PIXELS)
        for (int block = 0; block < packing.blocks(); block++)
          find<PIXELS>(y, x, block, weights + packing.at(0, block), taker);
  }

 public:
  explicit Convolution(const Shape& shape) : Padded(shape) {}

  // `taker.at(channel)` is handed the sums of 16 channels, pixel by pixel, with where they belong
  // in the picture; `taker.done(channel, …)` gets it back after some of them.
  template <class Taker>
  void run(const bf16* weights, Taker& taker) const {
    if (shape.width % 16)
      find_all<8>(weights, taker);
    else
      find_all<16>(weights, taker);
  }
};

// For the gradient by the weights: inputs with a border of zeros, as [channel][position], and
// gradients as [pair of positions][channel][2].
//
// sums[input block][output block][tap][16 inputs][16 outputs] is what it adds to.
class Stack {
  // Added up at once, so that 16 channels of both stay in the nearest cache for all taps.
  static const int POSITIONS = 256;
  const Shape& shape;
  const int pictures, lines;
  int laid = 0;
  const long apart, pitch;
  Lines<bf16> inputs, gradients;

  void add(float* sums) const {
    for (int y = 0; y < shape.height; y += lines) {
      float* to = sums;
      for (int in = 0; in < shape.channels; in += SIDE)
        for (int out = 0; out < shape.channels; out += SIDE)
          for (int tap = 0; tap < 9; tap++, to += CELLS)
            add_tap(inputs.begin + in * pitch + tap / 3 * shape.row() + tap % 3,
                    gradients.begin + 2 * out, y, std::min(y + lines, shape.height), to);
    }
  }

  void add_tap(const bf16* input, const bf16* gradient, int first, int end, float* to) const {
    for (int picture = 0; picture < laid; picture++) {
      const Factors factors{input + picture * apart + first * shape.row(), pitch, shape.row(),
                            gradient + picture * shape.picture() + first * shape.line(),
                            2 * shape.channels, shape.line(), shape.width / 2, end - first};
      multiply<SIDE, true>(factors, to);
    }
  }

 public:
  explicit Stack(const Shape& shape)
      : shape(shape),
        pictures(std::max(1, POSITIONS / (shape.height * shape.width))),
        lines(std::max(1, POSITIONS / shape.width)),
        apart(long(shape.height + 2) * shape.row()),
        // An odd number of lines of the cache keeps the channels out of step in it.
        pitch(((pictures * apart + 31) / 32 | 1) * 32),
        inputs(pitch * shape.channels),
        gradients(pictures * shape.picture()) {}

  // One line of the next picture: the layer's input, and the gradient by its output.
  void lay(int y, const bf16* input, const bf16* gradient) {
    const int channels = shape.channels;
    const long at = laid * apart + (y + 1) * shape.row() + 1;
    for (int x = 0; x < shape.width; x += 8)
      for (int channel = 0; channel < channels; channel += SIDE)
        turn(input + x * channels + channel, channels, inputs.begin + channel * pitch + at + x, pitch);
    bf16* const to = gradients.begin + laid * shape.picture() + y * shape.line();
    for (int x = 0; x < shape.width; x += 2)
      for (int channel = 0; channel < channels; channel += SIDE)
        interleave(read(gradient + x * channels + channel), read(gradient + (x + 1) * channels + channel),
                   to + x * channels + 2 * channel);
  }

  // The picture is laid: adds up those that lie here once there are enough.
  void next(float* sums) {
    if (++laid < pictures) return;
    finish(sums);
  }

  // Adds up those that are left.
  void finish(float* sums) {
    add(sums);
    laid = 0;
  }
};

}  // namespace
