// How pictures and kernels lie in memory, and which of them are a thread's.

#pragma once

#include <omp.h>

#include <algorithm>
#include <vector>

#include "rows.h"

namespace {

struct Shape {
  int images, height, width, channels;
  int row() const { return width + 2; }
  long line() const { return long(width) * channels; }
  long picture() const { return height * line(); }
  long numbers() const { return images * picture(); }
  long kernel() const { return 9L * channels * channels; }
};

// A kernel of any strides.
struct Weights {
  const float* begin;
  const long* strides;  // of outputs, inputs, rows and columns
  float at(int out, int in, int dy, int dx) const {
    return begin[out * strides[0] + in * strides[1] + dy * strides[2] + dx * strides[3]];
  }
};

// The pictures of this thread, as many as of every other, and always the same.
struct Share {
  int thread = omp_get_thread_num(), threads = omp_get_num_threads();
  long begin, end;
  explicit Share(const Shape& shape)
      : begin(long(shape.images) * thread / threads),
        end(long(shape.images) * (thread + 1) / threads) {}
};

// One way over a net's layers, forward or backward, by all threads at once.
template <class Way, class Given>
void run_by_all(const Given& given) {
  Way way(given);
#pragma omp parallel num_threads(given.threads)
  way.run();
}

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

// A picture in a border of zeros.
class Padded {
 protected:
  const Shape& shape;
  Lines<bf16> padded;

 public:
  // `behind` more pixels may be read behind it: numbers, which nobody keeps.
  explicit Padded(const Shape& shape, int behind = 0)
      : shape(shape), padded((long(shape.height + 2) * shape.row() + behind) * shape.channels) {}

  // Where a line of the picture goes.
  bf16* line(int y) { return padded.begin + (long(y + 1) * shape.row() + 1) * shape.channels; }

  void fill(const bf16* picture) {
    for (int y = 0; y < shape.height; y++)
      std::memcpy(line(y), picture + y * shape.line(), shape.line() * sizeof(bf16));
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
