// Winograd's minimal filtering F(2 x 2, 3 x 3) (Lavin and Gray 2015, arXiv 1509.09308, §4.1), and its
// adjoint for the gradient by the weights.
//
// Of a square of 2 x 2 results, and the 4 x 4 inputs that they come from, 16 products are left where
// there were 36, one for each point of a transformed square:
//
//   results = A^T [(G kernel G^T) * (B^T inputs B)] A
//
// The matrices hold 0, 1, -1 and 1/2: nothing is rounded in them that was whole numbers. What is
// multiplied is up to four times as large as what went in, and bf16 is that much coarser there;
// larger squares would save more, and lose more.

#pragma once

#include "pictures.h"

namespace {

const int POINTS = 16;  // of a square, 4 x 4

// a + b and a - b, the same to the bit, by what multiplies: a chip adds others at the same time.
#ifdef __AVX512F__
inline __m512 one() {
  __m512 found = _mm512_set1_ps(1);
  asm("" : "+v"(found));  // a compiler that knows it is one would just add
  return found;
}
inline Row plus(Row a, Row b) { return (Row)_mm512_fmadd_ps((__m512)b, one(), (__m512)a); }
inline Row minus(Row a, Row b) { return (Row)_mm512_fnmadd_ps((__m512)b, one(), (__m512)a); }
#else
inline Row plus(Row a, Row b) { return a + b; }
inline Row minus(Row a, Row b) { return a - b; }
#endif

// Each is one side of a transform, of numbers that lie `APART`.

// B^T: 4 inputs to 4 points.
template <int APART = 1>
inline void to_points(const Row* inputs, Row* points) {
  points[0] = inputs[0] - inputs[2 * APART];
  points[APART] = plus(inputs[APART], inputs[2 * APART]);
  points[2 * APART] = inputs[2 * APART] - inputs[APART];
  points[3 * APART] = minus(inputs[APART], inputs[3 * APART]);
}

// A^T: 4 points to 2 results.
template <int APART = 1>
inline void to_results(const Row* points, Row* results) {
  results[0] = points[0] + points[APART] + points[2 * APART];
  results[APART] = points[APART] - points[2 * APART] - points[3 * APART];
}

// A: the gradient by 2 results to that by 4 points.
template <int APART = 1>
inline void back_to_points(const Row* results, Row* points) {
  points[0] = results[0];
  points[APART] = results[0] + results[APART];
  points[2 * APART] = minus(results[0], results[APART]);
  points[3 * APART] = -results[APART];
}

// G: 3 taps to 4 points.
template <int APART = 1>
inline void taps_to_points(const Row* taps, Row* points) {
  const Row sides = taps[0] + taps[2 * APART];
  points[0] = taps[0];
  points[APART] = (sides + taps[APART]) * 0.5f;
  points[2 * APART] = (sides - taps[APART]) * 0.5f;
  points[3 * APART] = taps[2 * APART];
}

// G^T: the gradient by 4 points to that by 3 taps.
template <int APART = 1>
inline void back_to_taps(const Row* points, Row* taps) {
  const Row both = (points[APART] + points[2 * APART]) * 0.5f;
  taps[0] = points[0] + both;
  taps[APART] = (points[APART] - points[2 * APART]) * 0.5f;
  taps[2 * APART] = points[3 * APART] + both;
}

// What is added up for the gradient by the weights: that by the points of their kernels, as
// [point][block], since a point's blocks are found one after another.
struct SumsOfPoints {
  static const int NUMBER = POINTS;
  static long at(int point, int block, int blocks) { return long(point) * blocks + block; }
  static void to_taps(const Row* sums, Row* taps) {
    Row half[3 * 4];
    for (int x = 0; x < 4; x++) back_to_taps<4>(sums + x, half + x);
    for (int y = 0; y < 3; y++) back_to_taps(half + 4 * y, taps + 3 * y);
  }
};

// Where squares of 2 x 2 pixels are in a picture; those of an odd last line reach out of it.
struct Squares {
  const int lines, in_line;
  explicit Squares(const Shape& shape) : lines((shape.height + 1) / 2), in_line(shape.width / 2) {}
  int number() const { return lines * in_line; }
};

// 16 channels of the inputs of squares, one after another in a line, transformed.
class Window {
  Row columns[POINTS];  // [point of a column][column]

  void read_columns(const bf16* from, long pixel, long line, int first, int end) {
    for (int x = first; x < end; x++) {
      Row inputs[4], points[4];
      for (int y = 0; y < 4; y++) inputs[y] = widen16(from + y * line + x * pixel);
      to_points(inputs, points);
      for (int y = 0; y < 4; y++) columns[4 * y + x] = points[y];
    }
  }

 public:
  // The square whose first input lies at `from`; half of it is known from the one before in its line.
  void read(const bf16* from, long pixel, long line, bool is_first, Row* points) {
    if (is_first)
      read_columns(from, pixel, line, 0, 2);
    else
      for (int y = 0; y < 4; y++)
        for (int x = 0; x < 2; x++) columns[4 * y + x] = columns[4 * y + x + 2];
    read_columns(from, pixel, line, 2, 4);
    for (int y = 0; y < 4; y++) to_points(columns + 4 * y, points + 4 * y);
  }
};

}  // namespace
