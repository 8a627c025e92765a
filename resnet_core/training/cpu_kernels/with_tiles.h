// 3x3 convolutions on tiles (Intel AMX), and their gradients by the weights.
//
// A picture is laid out with a border of zeros, row after row: in this flat order a tap of the
// kernel is the whole picture moved by a fixed distance, so tiles are read where they lie, and a
// convolution is a sum of matrix products. Positions in the border give results that nobody keeps.
// Few channels would leave tiles half empty: neighbouring pixels share one. Reading a tile takes
// three times as long as multiplying two, and longer still where its rows do not start a line of
// the cache: layouts put them there.

#pragma once

#include "by_weights.h"
#include "tiles.h"

namespace {

const int FEWEST_POSITIONS = 1024;  // pictures are added up together until there are so many

int padded_up(int number, int unit) { return (number + unit - 1) / unit * unit; }

// How a kernel lies packed: [step][block of outputs][16 pairs of inputs][16 outputs][2].
struct Packing {
  int channels;
  // Pixels that share a tile's depth, and then 16 outputs for each of them.
  int together() const { return channels < DEPTH ? 2 : 1; }
  int blocks() const { return channels * together() / SIDE; }
  int steps() const { return 3 * (channels < DEPTH ? 2 : 3 * channels / DEPTH); }
  long size() const { return long(steps()) * blocks() * NUMBERS; }

  // As many parts as `pack` is to be asked for.
  int parts() const { return steps(); }
  void pack(int step, const Weights& weights, bf16* to) const {
    to += long(step) * blocks() * NUMBERS;
    for (int block = 0; block < blocks(); block++, to += NUMBERS)
      for (int k = 0; k < DEPTH; k++)
        for (int n = 0; n < SIDE; n++)
          to[k / 2 * 2 * SIDE + 2 * n + k % 2] = narrow(factor(weights, step, block, k, n));
  }

 private:
  // What a step multiplies the k-th number of its depth by, for the n-th of a block's outputs: 0
  // where the pixel is outside of the kernel.
  float factor(const Weights& weights, int step, int block, int k, int n) const {
    const int of_row = step % (steps() / 3), dy = step / (steps() / 3);
    if (together() == 2) {
      const int dx = 2 * of_row + k / SIDE - block;
      return dx < 0 || dx > 2 ? 0 : weights.at(n, k % SIDE, dy, dx);
    }
    const int in = of_row * DEPTH + k;
    return weights.at(block * SIDE + n, in % channels, dy, in / channels);
  }
};

// Convolves pictures of one shape, one after another: fill `line(0)` to `line(height - 1)`, run.
class Convolution : public Padded {
  const Packing packing;
  const int wide;  // numbers of the pixels that are found together
  const std::vector<long> steps;

  // Where the numbers of a step's depth lie: two pixels side by side, or 32 channels of one.
  std::vector<long> offsets() const {
    std::vector<long> found;
    for (int dy = 0; dy < 3; dy++)
      for (int step = 0; step < packing.steps() / 3; step++)
        found.push_back(long(dy) * shape.row() * shape.channels + long(step) * DEPTH);
    return found;
  }

  // What is found together: two tiles of positions (or one) by two tiles of outputs.
  struct Group {
    int position, block, tiles;
  };

  // sums[position tile][output tile] of a group; `between` runs after each step, as vectors have
  // nothing to do while tiles are multiplied.
  template <class Between>
  void sum_up(const Group& group, const bf16* weights, float* sums, Between between) const {
    const long position = wide * sizeof(bf16), tile = SIDE * wide;
    const bf16* from = padded.begin + long(group.position) * wide;
    weights += group.block * NUMBERS;
    settle();
    ZERO(0);
    ZERO(1);
    ZERO(2);
    ZERO(3);
    for (size_t step = 0; step < steps.size(); step++) {
      LOAD(4, from + steps[step], position);
      LOAD(6, weights, 64);
      MULTIPLY(0, 4, 6);
      LOAD(7, weights + NUMBERS, 64);
      MULTIPLY(1, 4, 7);
      if (group.tiles == 4) {
        LOAD(5, from + steps[step] + tile, position);
        MULTIPLY(2, 5, 6);
        MULTIPLY(3, 5, 7);
      }
      weights += packing.blocks() * NUMBERS;
      between(int(step));
    }
    STORE(0, sums, 64);
    STORE(1, sums + CELLS, 64);
    STORE(2, sums + 2 * CELLS, 64);
    STORE(3, sums + 3 * CELLS, 64);
    settle();
  }

  // Gives one tile's sums to the taker, but for those of the border.
  template <class Taker>
  void give(const float* sums, const Group& group, int tile, Taker& taker) const {
    const int block = group.block + tile % 2, together = packing.together();
    const int first = (group.position + tile / 2 * SIDE) * together + (together == 2 ? block : 0);
    const int channel = together == 2 ? 0 : block * SIDE;
    const int width = shape.width, row_length = shape.row();
    const long ahead = long(together) * shape.channels, border = 2L * shape.channels;
    const float* const end = sums + (tile + 1) * CELLS;
    auto at_work = taker.at(channel);
    int x = first % row_length, lines_left = shape.height - first / row_length;
    long place = first / row_length * shape.line() + long(x) * shape.channels + channel;
    for (const float* from = end - CELLS; from < end && lines_left > 0; from += SIDE) {
      if (x < width) at_work.take(row(from), place);
      x += together;
      place += ahead;
      if (x >= row_length) x -= row_length, place -= border, lines_left--;
    }
    taker.done(channel, at_work);
  }

 public:
  // The last tiles reach behind the picture.
  explicit Convolution(const Shape& shape)
      : Padded(shape, 4 * SIDE + 4),
        packing{shape.channels},
        wide(shape.channels * packing.together()),
        steps(offsets()) {}

  // `taker.at(channel)` is handed the sums of 16 channels, pixel by pixel, with where they belong
  // in the picture; `taker.done(channel, …)` gets it back after a tile of them.
  template <class Taker>
  void run(const bf16* weights, Taker& taker) const {
    alignas(64) float sums[2][4 * CELLS];
    const int positions = shape.height * shape.row() / packing.together();
    Group before{0, 0, 0};
    int turn = 0;
    for (int position = 0; position < positions; position += 2 * SIDE)
      for (int block = 0; block < packing.blocks(); block += 2) {
        const Group group{position, block, position + SIDE >= positions ? 2 : 4};
        sum_up(group, weights, sums[turn], [&](int step) {
          if (step < before.tiles) give(sums[1 - turn], before, step, taker);
        });
        before = group;
        turn = 1 - turn;
      }
    for (int tile = 0; tile < before.tiles; tile++) give(sums[1 - turn], before, tile, taker);
  }
};

// For the gradient by the weights pictures lie below each other, a row of zeros between them.
//
// sums[input block][output block][tap][16 inputs][16 outputs] is what it adds to.
class Stack {
  const Shape& shape;
  int pictures, positions, laid = 0;
  long pitch, before;
  Lines<bf16> written;  // one line of inputs
  Lines<bf16> inputs, even, odd;  // [channel][position], and twice [pair of positions][channel][2]

 public:
  using Sums = SumsOfTaps;

  explicit Stack(const Shape& shape)
      : shape(shape),
        pictures(std::max(1, FEWEST_POSITIONS / apart())),
        positions(padded_up(pictures * apart(), DEPTH)),
        // An odd number of lines keeps the channels out of step in the cache.
        pitch(long(positions / DEPTH | 1) * DEPTH),
        before(2 * shape.row() + 2),  // the last tap looks back so far
        written(shape.line()),
        inputs(pitch * shape.channels),
        even((positions + before) * shape.channels),
        odd((positions + before) * shape.channels) {}

  int apart() const { return (shape.height + 1) * shape.row(); }

  // Where a line of inputs may be written before it is laid.
  bf16* line(int) { return written.begin; }

  // One line of the next picture: the layer's input, and the gradient by its output.
  void lay(int y, const bf16* input, const bf16* gradient) {
    const long at = long(laid) * apart() + y * shape.row();
    for (int pixel = 0; pixel < shape.width; pixel += 8)
      for (int channel = 0; channel < shape.channels; channel += SIDE)
        turn(input + pixel * shape.channels + channel, shape.channels,
             inputs.begin + channel * pitch + at + shape.row() + pixel + 1, pitch);
    lay_pairs(gradient, (at + before) * shape.channels);
  }

  // The picture is laid: adds up those that lie here once there are enough.
  void next(float* sums) {
    if (++laid < pictures) return;
    add(sums, positions);
    laid = 0;
  }

  // Adds up those that are left.
  void finish(float* sums) {
    if (!laid) return;
    const long rest = (long(laid) * apart() + before) * shape.channels;
    const int used = padded_up(laid * apart(), DEPTH);
    const long end = (used + before) * shape.channels;
    std::fill(even.begin + rest, even.begin + end, 0);
    std::fill(odd.begin + rest, odd.begin + end, 0);
    add(sums, used);
    laid = 0;
  }

 private:
  // Neighbours of a line in pairs, from the first on and from the one before it on.
  void lay_pairs(const bf16* pixels, long at) {
#ifdef __AVX512F__  // as every chip with tiles has: a pair is one number of 32 bits
    const long step = 2L * shape.channels;
    for (int channel = 0; channel < shape.channels; channel += SIDE) {
      const bf16* here = pixels + channel;
      bf16 *to_odd = odd.begin + at + 2 * channel, *to_even = even.begin + at + 2 * channel;
      __m512i left = _mm512_setzero_si512();
      for (int x = 0; x < shape.width; x += 2, here += step, to_odd += step, to_even += step) {
        const __m512i middle = _mm512_cvtepu16_epi32(read(here)),
                      right = _mm512_cvtepu16_epi32(read(here + shape.channels));
        _mm512_storeu_si512(to_odd, _mm512_or_si512(left, _mm512_slli_epi32(middle, 16)));
        _mm512_storeu_si512(to_even, _mm512_or_si512(middle, _mm512_slli_epi32(right, 16)));
        left = right;
      }
      _mm512_storeu_si512(to_odd, left);
    }
#else
    const __m256i zero = _mm256_setzero_si256();
    for (int x = 0; x <= shape.width; x += 2, at += 2 * shape.channels)
      for (int channel = 0; channel < shape.channels; channel += SIDE) {
        const bf16* here = pixels + x * shape.channels + channel;
        const __m256i left = x ? read(here - shape.channels) : zero;
        const __m256i middle = x < shape.width ? read(here) : zero;
        interleave(left, middle, odd.begin + at + 2 * channel);
        if (x < shape.width)
          interleave(middle, read(here + shape.channels), even.begin + at + 2 * channel);
      }
#endif
  }

  void add(float* sums, int used) const {
    for (int in = 0; in < shape.channels; in += SIDE)
      for (int out = 0; out < shape.channels; out += SIDE)
        for (int dy = 0; dy < 3; dy++, sums += 3 * CELLS)
          add_row_of_taps(inputs.begin + in * pitch,
                          (before - dy * shape.row()) * shape.channels + 2 * out, sums, used);
  }

  void add_row_of_taps(const bf16* input, long gradient, float* sums, int used) const {
    const long by_channel = pitch * sizeof(bf16), by_pair = 2 * shape.channels * sizeof(bf16);
    const bf16 *first = even.begin + gradient, *second = odd.begin + gradient;
    const bf16* third = first - 2 * shape.channels;
    settle();
    LOAD(0, sums, 64);
    LOAD(1, sums + CELLS, 64);
    LOAD(2, sums + 2 * CELLS, 64);
    for (int position = 0; position < used; position += DEPTH) {
      const long at = long(position) * shape.channels;
      LOAD(3, input + position, by_channel);
      LOAD(4, first + at, by_pair);
      MULTIPLY(0, 3, 4);
      LOAD(5, second + at, by_pair);
      MULTIPLY(1, 3, 5);
      LOAD(6, third + at, by_pair);
      MULTIPLY(2, 3, 6);
    }
    STORE(0, sums, 64);
    STORE(1, sums + CELLS, 64);
    STORE(2, sums + 2 * CELLS, 64);
  }
};

}  // namespace
