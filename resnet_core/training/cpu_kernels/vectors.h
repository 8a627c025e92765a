// Vectors whose elements multiply pairs of bf16 and add them up in fp32 (AVX512-BF16), the same
// arithmetic on any chip.
//
// Such a chip multiplies one vector a cycle, and reads one pair for all its elements at the same
// time. So 16 sums stay in registers, of as many pixels or inputs, each a vector of 16 outputs, and
// nothing is multiplied that nobody keeps.

#pragma once

#include "rows.h"

namespace {

// Pairs of bf16, one for all elements, by one for each: a row of sums more.
struct Pairs {
#ifdef __AVX512BF16__
  __m512bh each;
  explicit Pairs(const bf16* from) : each((__m512bh)_mm512_loadu_si512(from)) {}
  // One instruction, where compilers find two: half as many fit into what a chip looks ahead.
  Row added(Row sums, const bf16* one) const {
    struct Pair {
      bf16 numbers[2];
    };
    asm("vdpbf16ps %1%{1to16%}, %2, %0" : "+v"(sums) : "m"(*(const Pair*)one), "v"(each));
    return sums;
  }
#else  // the same on any chip, for tests
  Row first, second;
  explicit Pairs(const bf16* from) {
    Bits both;
    std::memcpy(&both, from, sizeof both);
    first = (Row)(both << 16), second = (Row)(both & 0xffff0000);
  }
  static float wide(bf16 number) {
    const uint32_t bits = uint32_t(number) << 16;
    float found;
    std::memcpy(&found, &bits, sizeof found);
    return found;
  }
  Row added(Row sums, const bf16* one) const { return sums + first * wide(one[0]) + second * wide(one[1]); }
#endif
};

// What is multiplied: on the left one pair for each row of sums, on the right 16 pairs for all rows;
// `pairs` of both, one behind another, and so in `lines` lines.
struct Factors {
  const bf16* left;
  long apart, left_line;  // from row to row, from line to line
  const bf16* right;
  long step, right_line;  // from pairs to pairs, from line to line
  int pairs, lines;
  long left_step = 2;  // from pair to pair
};

// sums[row][16] = left by right, or += where it adds. A function of its own, so that sums have all
// registers they need, and four addresses lead to 16 rows.
template <int ROWS, bool ADDS = false>
__attribute__((noinline)) void multiply(const Factors& factors, float* sums) {
  const long apart = factors.apart, thrice = 3 * apart, step = factors.step,
             left_step = factors.left_step;
  Row now[ROWS];
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; i++) now[i] = ADDS ? row(sums + i * SIDE) : Row{};
  for (int line = 0; line < factors.lines; line++) {
    const bf16* right = factors.right + line * factors.right_line;
    const bf16* left[ROWS / 4];
#pragma GCC unroll 4
    for (int i = 0; i < ROWS / 4; i++) left[i] = factors.left + line * factors.left_line + 4 * i * apart;
    for (int pair = 0; pair < factors.pairs; pair++, right += step) {
      const Pairs each(right);
#pragma GCC unroll 4
      for (int i = 0; i < ROWS / 4; i++) {
        const bf16* const at = left[i];
        now[4 * i] = each.added(now[4 * i], at);
        now[4 * i + 1] = each.added(now[4 * i + 1], at + apart);
        now[4 * i + 2] = each.added(now[4 * i + 2], at + 2 * apart);
        now[4 * i + 3] = each.added(now[4 * i + 3], at + thrice);
        left[i] += left_step;
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < ROWS; i++) put(now[i], sums + i * SIDE);
}

}  // namespace
