// The gradient of a 3x3 convolution by its weights, of many pictures at once.

#pragma once

#include "pictures.h"

namespace {

const int FEWEST_POSITIONS = 1024;  // pictures are added up together until there are so many

int padded_up(int number, int unit) { return (number + unit - 1) / unit * unit; }

__m256i read(const bf16* from) { return _mm256_loadu_si256((const __m256i*)from); }

void write_halves(__m256i both, bf16* first, bf16* second) {
  _mm_storeu_si128((__m128i*)first, _mm256_castsi256_si128(both));
  _mm_storeu_si128((__m128i*)second, _mm256_extracti128_si256(both, 1));
}

// (8 pixels, 16 channels) to (16 channels, 8 pixels).
void turn(const bf16* from, long pixel, bf16* to, long channel) {
  __m256i a[8], b[8];
  for (int i = 0; i < 8; i++) a[i] = read(from + i * pixel);
  for (int i = 0; i < 4; i++) {
    b[2 * i] = _mm256_unpacklo_epi16(a[2 * i], a[2 * i + 1]);
    b[2 * i + 1] = _mm256_unpackhi_epi16(a[2 * i], a[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) {
      a[4 * i + 2 * j] = _mm256_unpacklo_epi32(b[4 * i + j], b[4 * i + 2 + j]);
      a[4 * i + 2 * j + 1] = _mm256_unpackhi_epi32(b[4 * i + j], b[4 * i + 2 + j]);
    }
  for (int i = 0; i < 4; i++, to += 2 * channel) {
    write_halves(_mm256_unpacklo_epi64(a[i], a[4 + i]), to, to + 8 * channel);
    write_halves(_mm256_unpackhi_epi64(a[i], a[4 + i]), to + channel, to + 9 * channel);
  }
}

// 16 channels of two pixels, in pairs.
void interleave(__m256i one, __m256i other, bf16* to) {
  write_halves(_mm256_unpacklo_epi16(one, other), to, to + 16);
  write_halves(_mm256_unpackhi_epi16(one, other), to + 8, to + 24);
}

// For the gradient by the weights pictures lie below each other, a row of zeros between them.
//
// sums[input block][output block][tap][16 inputs][16 outputs] is what it adds to.
class Stack {
  const Shape& shape;
  int pictures, positions, laid = 0;
  long pitch, before;
  Lines<bf16> inputs, even, odd;  // [channel][position], and twice [pair of positions][channel][2]

 public:
  explicit Stack(const Shape& shape)
      : shape(shape),
        pictures(std::max(1, FEWEST_POSITIONS / apart())),
        positions(padded_up(pictures * apart(), DEPTH)),
        // An odd number of lines keeps the channels out of step in the cache.
        pitch(long(positions / DEPTH | 1) * DEPTH),
        before(2 * shape.row() + 2),  // the last tap looks back so far
        inputs(pitch * shape.channels),
        even((positions + before) * shape.channels),
        odd((positions + before) * shape.channels) {}

  int apart() const { return (shape.height + 1) * shape.row(); }

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

// All threads' parts, as `Stack::add` leaves them, into a kernel of any strides; by all threads.
void add_up(const Shape& shape, const float* parts, int threads, float* to, const long* strides) {
  const int blocks = shape.channels / SIDE;
#pragma omp for
  for (int block = 0; block < blocks * blocks; block++) {
    const float* part = parts + block * 9L * CELLS;
    float* const corner = to + block % blocks * SIDE * strides[0] + block / blocks * SIDE * strides[1];
    for (int tap = 0; tap < 9; tap++)
      for (int in = 0; in < SIDE; in++)
        for (int out = 0; out < SIDE; out++, part++) {
          float sum = 0;
          for (int thread = 0; thread < threads; thread++) sum += part[shape.kernel() * thread];
          corner[out * strides[0] + in * strides[1] + tap / 3 * strides[2] + tap % 3 * strides[3]] = sum;
        }
  }
}

}  // namespace
