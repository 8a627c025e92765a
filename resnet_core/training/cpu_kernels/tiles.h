// Tiles of 16x32 by 32x16 bf16 numbers (Intel AMX), the same on any chip where EMULATE_TILES is
// given.

#pragma once

#include "rows.h"

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
struct Multiplier {
  Multiplier() {}
};

#else

#define TILES_TO_ASK_FOR
#define ZERO(tile) _tile_zero(tile)
#define LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define MULTIPLY(sums, left, right) _tile_dpbf16ps(sums, left, right)

// Eight tiles of 16 rows of 64 bytes. Other libraries remember how a thread's tiles were set up, so
// they are set up so again afterwards.
// Compilers take the 64 bytes of a configuration for 8, and might leave out what fills the others.
class Multiplier {
  alignas(64) uint8_t before[64];

  void keep_all_bytes() { __asm__ volatile("" : "+m"(before)); }

 public:
  Multiplier() {
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
  ~Multiplier() {
    keep_all_bytes();
    if (before[0])
      _tile_loadconfig(before);
    else
      _tile_release();
  }
};

#endif

namespace {

const int DEPTH = 32;  // numbers in a row of bf16
const int NUMBERS = 512;  // of bf16 in a tile

// A tile is read behind the compiler's back: what is to be read has to be in memory by then.
inline void settle() { __asm__ volatile("" ::: "memory"); }

}  // namespace
