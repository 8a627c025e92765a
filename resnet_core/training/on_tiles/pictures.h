// How pictures lie in memory, which of them are a thread's, and 3x3 convolutions of them.
//
// A picture is laid out with a border of zeros, row after row: in this flat order a tap of the
// kernel is the whole picture moved by a fixed distance, so tiles are read where they lie, and a
// convolution is a sum of matrix products. Positions in the border give results that nobody keeps.
// Few channels would leave tiles half empty: neighbouring pixels share one. Reading a tile takes
// three times as long as multiplying two, and longer still where its rows do not start a line of
// the cache: layouts put them there.

#pragma once

#include <omp.h>

#include <algorithm>
#include <vector>

#include "tiles.h"

namespace {

struct Shape {
  int images, height, width, channels;
  int row() const { return width + 2; }
  long line() const { return long(width) * channels; }
  long picture() const { return height * line(); }
  long numbers() const { return images * picture(); }
  long kernel() const { return 9L * channels * channels; }
  // Pixels that share a tile's depth, and then 16 outputs for each of them.
  int together() const { return channels < DEPTH ? 2 : 1; }
  int wide() const { return channels * together(); }
  int blocks() const { return wide() / SIDE; }
  int steps() const { return 3 * (channels < DEPTH ? 2 : 3 * channels / DEPTH); }
  long packed() const { return long(steps()) * blocks() * NUMBERS; }
};

// The pictures of this thread, as many as of every other, and always the same.
struct Share {
  int thread = omp_get_thread_num(), threads = omp_get_num_threads();
  long begin, end;
  explicit Share(const Shape& shape)
      : begin(long(shape.images) * thread / threads),
        end(long(shape.images) * (thread + 1) / threads) {}
};

// Zeros that start a line of the cache.
template <class Number>
class Lines {
  static const long MORE = 64 / sizeof(Number);
  std::vector<Number> room;

 public:
  Number* const begin;
  const long size;
  explicit Lines(long size)
      : room(size + MORE),
        begin((Number*)((uintptr_t(room.data()) + 63) & ~uintptr_t(63))),
        size(size) {}
  Lines(const Lines&) = delete;
  Lines(Lines&&) = default;  // what is moved stays where it is
  void clear() { std::fill(begin, begin + size, Number(0)); }
};

// Convolves pictures of one shape, one after another: fill `line(0)` to `line(height - 1)`, run.
class Convolution {
  const Shape& shape;
  const std::vector<long> steps;
  Lines<bf16> padded;

  // Where the numbers of a step's depth lie: two pixels side by side, or 32 channels of one.
  static std::vector<long> offsets(const Shape& shape) {
    std::vector<long> found;
    for (int dy = 0; dy < 3; dy++)
      for (int step = 0; step < shape.steps() / 3; step++)
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
    const long position = shape.wide() * sizeof(bf16), tile = SIDE * shape.wide();
    const bf16* from = padded.begin + long(group.position) * shape.wide();
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
      weights += shape.blocks() * NUMBERS;
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
    const int block = group.block + tile % 2, together = shape.together();
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
  // The last tiles reach behind the picture: what lies there is read, and has to be a number.
  explicit Convolution(const Shape& shape)
      : shape(shape),
        steps(offsets(shape)),
        padded((long(shape.height + 2) * shape.row() + 4 * SIDE + 4) * shape.channels) {}

  // Where a line of the picture goes.
  bf16* line(int y) { return padded.begin + (long(y + 1) * shape.row() + 1) * shape.channels; }

  void fill(const bf16* picture) {
    for (int y = 0; y < shape.height; y++)
      std::memcpy(line(y), picture + y * shape.line(), shape.line() * sizeof(bf16));
  }

  // `taker.at(channel)` is handed the sums of 16 channels, pixel by pixel, with where they belong
  // in the picture; `taker.done(channel, …)` gets it back after a tile of them.
  template <class Taker>
  void run(const bf16* weights, Taker& taker) const {
    alignas(64) float sums[2][4 * CELLS];
    const int positions = shape.height * shape.row() / shape.together();
    Group before{0, 0, 0};
    int turn = 0;
    for (int position = 0; position < positions; position += 2 * SIDE)
      for (int block = 0; block < shape.blocks(); block += 2) {
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

// Writes a convolution down as it is.
struct Writer {
  bf16* to;
  struct At {
    bf16* to;
    void take(Row sums, long place) { narrow16(sums, to + place); }
  };
  At at(int) const { return {to}; }
  void done(int, const At&) const {}
};

}  // namespace
