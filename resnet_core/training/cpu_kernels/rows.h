// 16 numbers at once: fp32 in a register, bf16 in memory.

#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

using bf16 = uint16_t;

namespace {

const int SIDE = 16;  // numbers in a row

// As many numbers as an AVX-512 register holds; compilers split it for others.
typedef float Row __attribute__((vector_size(64)));
typedef uint32_t Bits __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));

inline Row row(const float* from) {
  Row numbers;
  std::memcpy(&numbers, from, sizeof numbers);
  return numbers;
}

inline void put(Row numbers, float* to) { std::memcpy(to, &numbers, sizeof numbers); }

inline Row widened(Halves halves) {
#ifdef __AVX512BW__  // one instruction, where a compiler may find six: each number behind a zero
  const __m512i order = _mm512_set_epi32(15 << 16, 14 << 16, 13 << 16, 12 << 16, 11 << 16, 10 << 16, 9 << 16,
                                         8 << 16, 7 << 16, 6 << 16, 5 << 16, 4 << 16, 3 << 16, 2 << 16, 1 << 16, 0);
  return (Row)_mm512_maskz_permutexvar_epi16(0xaaaaaaaa, order, _mm512_castsi256_si512((__m256i)halves));
#else
  return (Row)(__builtin_convertvector(halves, Bits) << 16);
#endif
}

inline Row widen16(const bf16* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return widened(halves);
}

// Nearest bf16, ties to even. A chip's NaN stays one.
inline Halves narrowed(Row numbers) {
#ifdef __AVX512BF16__  // as every chip has that this is built for
  return (Halves)_mm512_cvtneps_pbh((__m512)numbers);
#else
  const Bits bits = (Bits)numbers;
  return __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, Halves);
#endif
}

inline void narrow16(Row numbers, bf16* to) {
  const Halves halves = narrowed(numbers);
  std::memcpy(to, &halves, sizeof halves);
}

// Two rows, the second so many numbers further on: as quickly as one.
inline void narrow_two(Row one, Row other, bf16* to, long apart) {
#ifdef __AVX512BF16__
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)other, (__m512)one);
  if (apart == SIDE) return _mm512_storeu_si512(to, both);
  _mm256_storeu_si256((__m256i*)to, _mm512_castsi512_si256(both));
  _mm256_storeu_si256((__m256i*)(to + apart), _mm512_extracti64x4_epi64(both, 1));
#else
  narrow16(one, to);
  narrow16(other, to + apart);
#endif
}

// One number alone.
inline bf16 narrow(float number) {
  uint32_t bits;
  std::memcpy(&bits, &number, 4);
  return bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Numbers, 0 in place of negative ones. What is no number is not cut off: it has to be seen.
inline Row positive(Row numbers) {
#ifdef __AVX512F__
  return (Row)_mm512_max_ps(_mm512_setzero_ps(), (__m512)numbers);  // gives the second where one is NaN
#else
  return numbers <= 0 ? Row{} : numbers;
#endif
}

// Numbers where others are positive, or are none, else 0.
inline Row where_positive(Row others, Row numbers) { return others <= 0 ? Row{} : numbers; }

}  // namespace
