// Tiles of 16x32 by 32x16 bf16 numbers (Intel AMX), the same on any chip where EMULATE_TILES is
// given, and 16 floats at once.

#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

using bf16 = uint16_t;

#ifdef EMULATE_TILES  // the same arithmetic on any chip, for tests

static inline float widen(bf16 number) {
  uint32_t bits = uint32_t(number) << 16;
  float wide;
  std::memcpy(&wide, &bits, 4);
  return wide;
}

static thread_local union {
  bf16 pairs[16][32];
  float sums[16][16];
} tiles[8];

static inline void load(int tile, const void* from, long stride) {
  for (int row = 0; row < 16; row++)
    std::memcpy(tiles[tile].pairs[row], static_cast<const char*>(from) + row * stride, 64);
}

static inline void store(int tile, void* to, long stride) {
  for (int row = 0; row < 16; row++)
    std::memcpy(static_cast<char*>(to) + row * stride, tiles[tile].pairs[row], 64);
}

static inline void multiply(int sums, int left, int right) {
  for (int m = 0; m < 16; m++)
    for (int k = 0; k < 32; k++)
      for (int n = 0; n < 16; n++)
        tiles[sums].sums[m][n] +=
            widen(tiles[left].pairs[m][k]) * widen(tiles[right].pairs[k / 2][2 * n + k % 2]);
}

#define ZERO(tile) std::memset(&tiles[tile], 0, sizeof tiles[tile])
#define LOAD(tile, from, stride) load(tile, from, stride)
#define STORE(tile, to, stride) store(tile, to, stride)
#define MULTIPLY(sums, left, right) multiply(sums, left, right)
struct Tiles {
  Tiles() {}
};

#else

#define ZERO(tile) _tile_zero(tile)
#define LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define MULTIPLY(sums, left, right) _tile_dpbf16ps(sums, left, right)

// Eight tiles of 16 rows of 64 bytes. Other libraries remember how a thread's tiles were set up, so
// they are set up so again afterwards.
// Compilers take the 64 bytes of a configuration for 8, and might leave out what fills the others.
class Tiles {
  alignas(64) uint8_t before[64];

  void keep_all_bytes() { __asm__ volatile("" : "+m"(before)); }

 public:
  Tiles() {
    alignas(64) static const uint8_t wanted[64] = {
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // palette
        64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0,  // bytes of a row
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0,  // rows
    };
    _tile_storeconfig(before);
    keep_all_bytes();
    _tile_loadconfig(wanted);
  }
  ~Tiles() {
    keep_all_bytes();
    if (before[0])
      _tile_loadconfig(before);
    else
      _tile_release();
  }
};

#endif

namespace {

const int SIDE = 16;      // rows of a tile, and sums in a row
const int DEPTH = 32;     // numbers in a row of bf16
const int CELLS = 256;    // sums in a tile
const int NUMBERS = 512;  // of bf16 in a tile

// A tile is read behind the compiler's back: what is to be read has to be in memory by then.
inline void settle() { __asm__ volatile("" ::: "memory"); }

// A row of sums: as many numbers as an AVX-512 register holds; compilers split it for others.
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
#ifdef __AVX512F__  // two instructions, where a compiler may find six
  return (Row)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)halves), 16);
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
#ifdef __AVX512BF16__  // as every chip with tiles has
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

// Numbers where others are positive, else 0. What is no number is not cut off: it has to be seen.
inline Row where_positive(Row others, Row numbers) { return others <= 0 ? Row{} : numbers; }

}  // namespace
