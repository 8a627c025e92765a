// What it takes to find the gradient of a 3x3 convolution by its weights, whatever multiplies.

#pragma once

#include "pictures.h"

namespace {

const int CELLS = SIDE * SIDE;  // sums of 16 inputs by 16 outputs, which are found together

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

// The same of numbers that are rounded on the way; `to` starts a line of the cache.
inline void narrow_pairs(Row one, Row other, bf16* to) {
#ifdef __AVX512BF16__
  alignas(64) static const uint16_t ORDER[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                               8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)other, (__m512)one);
  _mm512_store_si512(to, _mm512_permutexvar_epi16(_mm512_load_si512(ORDER), both));
#else
  interleave((__m256i)narrowed(one), (__m256i)narrowed(other), to);
#endif
}

// What is added up for a kernel's inputs and outputs, 16 by 16 of them a block: the gradient by their
// taps, as [block][tap].
struct SumsOfTaps {
  static const int NUMBER = 9;
  static long at(int tap, int block, int) { return block * NUMBER + tap; }
  static void to_taps(const Row* sums, Row* taps) { std::copy(sums, sums + NUMBER, taps); }
};

// All threads' parts, [16 inputs][16 outputs] where a kind of sums says, into a kernel of any strides;
// blocks are [16 inputs][16 outputs]. By all threads.
template <class Kind>
void add_up(int inputs, int outputs, const float* parts, int threads, float* to, const long* strides) {
  const int of_outputs = outputs / SIDE, blocks = inputs / SIDE * of_outputs;
#pragma omp for
  for (int block = 0; block < blocks; block++)
    for (int in = 0; in < SIDE; in++) {
      Row sums[Kind::NUMBER] = {}, taps[9];
      for (int thread = 0; thread < threads; thread++)
        for (int i = 0; i < Kind::NUMBER; i++)
          sums[i] += row(parts + (long(thread) * Kind::NUMBER * blocks + Kind::at(i, block, blocks)) * CELLS + in * SIDE);
      Kind::to_taps(sums, taps);
      float* const corner = to + block % of_outputs * SIDE * strides[0] + (block / of_outputs * SIDE + in) * strides[1];
      for (int tap = 0; tap < 9; tap++)
        for (int out = 0; out < SIDE; out++)
          corner[out * strides[0] + tap / 3 * strides[2] + tap % 3 * strides[3]] = taps[tap][out];
    }
}

}  // namespace
