// 3x3 convolutions, stride 1, padding 1, and their gradients, for a chip that multiplies tiles of
// 16x32 by 32x16 bf16 numbers (Intel AMX). Few channels keep a library's tiles half empty; here
// they are filled, as neighbouring pixels share one.
//
// A picture is laid out with a border of zeros, row after row: in this flat order a tap of the
// kernel is the whole picture moved by a fixed distance, so tiles are read where they lie, and a
// convolution is a sum of matrix products. Positions in the border give results that nobody keeps.
// Reading a tile takes three times as long as multiplying two, and longer still where its rows do
// not start a line of the cache: layouts put them there.
//
// Activations are (N, H, W, C) bf16, as many channels out as in: 16, or a multiple of 32. W is a
// multiple of 8. Sums are in fp32. The same inputs and threads give the same bits.

#include <immintrin.h>
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

using bf16 = uint16_t;

#ifdef EMULATE_TILES  // the same arithmetic on any chip, for tests

static float widen(bf16 number) {
  uint32_t bits = uint32_t(number) << 16;
  float wide;
  std::memcpy(&wide, &bits, 4);
  return wide;
}

static thread_local union {
  bf16 pairs[16][32];
  float sums[16][16];
} tiles[8];

static void load(int tile, const void* from, long stride) {
  for (int row = 0; row < 16; row++)
    std::memcpy(tiles[tile].pairs[row], static_cast<const char*>(from) + row * stride, 64);
}

static void store(int tile, void* to, long stride) {
  for (int row = 0; row < 16; row++)
    std::memcpy(static_cast<char*>(to) + row * stride, tiles[tile].pairs[row], 64);
}

static void multiply(int sums, int left, int right) {
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
extern "C" int ask_for_tiles() { return 0; }

#else

#include <sys/syscall.h>
#include <unistd.h>

#define ZERO(tile) _tile_zero(tile)
#define LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define MULTIPLY(sums, left, right) _tile_dpbf16ps(sums, left, right)

// Eight tiles of 16 rows of 64 bytes. Other libraries remember how a thread's tiles were set up, so
// they are set up so again afterwards.
class Tiles {
  alignas(64) uint8_t before[64];

 public:
  Tiles() {
    _tile_storeconfig(before);
    alignas(64) uint8_t wanted[64] = {1};
    for (int tile = 0; tile < 8; tile++) {
      wanted[16 + 2 * tile] = 64;
      wanted[48 + tile] = 16;
    }
    _tile_loadconfig(wanted);
  }
  ~Tiles() {
    if (before[0])
      _tile_loadconfig(before);
    else
      _tile_release();
  }
};

// Linux gives a process its tiles when it asks for them; 0 if it did.
extern "C" int ask_for_tiles() {
  const int ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
  return int(syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA));
}

#endif

namespace {

const int SIDE = 16;      // rows of a tile, and sums in a row
const int DEPTH = 32;     // numbers in a row of bf16
const int CELLS = 256;    // sums in a tile
const int NUMBERS = 512;  // of bf16 in a tile
const int FEWEST_POSITIONS = 1024;  // pictures are added up together until there are so many

int padded_up(int number, int unit) { return (number + unit - 1) / unit * unit; }

// Nearest bf16, ties to even. A chip's NaN stays one.
bf16 narrow(float number) {
  uint32_t bits;
  std::memcpy(&bits, &number, 4);
  return bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

void narrow16(const float* sums, bf16* to) {
#ifdef __AVX512BF16__  // as every chip with tiles has
  _mm256_storeu_si256((__m256i*)to, (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(sums)));
#else
  for (int i = 0; i < SIDE; i++) to[i] = narrow(sums[i]);
#endif
}

struct Shape {
  int images, height, width, channels;
  int row() const { return width + 2; }
  long line() const { return long(width) * channels; }
  long picture() const { return height * line(); }
  // Pixels that share a tile's depth, and then 16 outputs for each of them.
  int together() const { return channels < DEPTH ? 2 : 1; }
  int wide() const { return channels * together(); }
  int blocks() const { return wide() / SIDE; }
  int steps() const { return 3 * (channels < DEPTH ? 2 : 3 * channels / DEPTH); }
};

// The pictures of this thread, as many as of every other.
struct Share {
  int thread = omp_get_thread_num(), threads = omp_get_num_threads();
  long begin, end;
  explicit Share(const Shape& shape)
      : begin(long(shape.images) * thread / threads),
        end(long(shape.images) * (thread + 1) / threads) {}
};

// Zeros that start a line of the cache.
class Lines {
  std::vector<bf16> room;

 public:
  bf16* const begin;
  const long size;
  explicit Lines(long size)
      : room(size + DEPTH), begin((bf16*)((uintptr_t(room.data()) + 63) & ~uintptr_t(63))), size(size) {}
  void clear() { std::fill(begin, begin + size, 0); }
};

// A tile is read behind the compiler's back: what is to be read has to be in memory by then.
void settle() { __asm__ volatile("" ::: "memory"); }

// Where the numbers of a step's depth lie: two pixels side by side, or 32 channels of one.
std::vector<long> offsets(const Shape& shape) {
  std::vector<long> found;
  for (int dy = 0; dy < 3; dy++)
    for (int step = 0; step < shape.steps() / 3; step++)
      found.push_back(long(dy) * shape.row() * shape.channels + long(step) * DEPTH);
  return found;
}

// Two tiles of positions (or one) by two tiles of outputs: sums[position tile][output tile].
void sum_up(const bf16* from, const Shape& shape, const std::vector<long>& steps,
            const bf16* weights, bool is_one, float* sums) {
  const long position = shape.wide() * sizeof(bf16), tile = SIDE * shape.wide();
  settle();
  ZERO(0);
  ZERO(1);
  ZERO(2);
  ZERO(3);
  for (long step : steps) {
    LOAD(4, from + step, position);
    LOAD(6, weights, 64);
    MULTIPLY(0, 4, 6);
    LOAD(7, weights + NUMBERS, 64);
    MULTIPLY(1, 4, 7);
    if (!is_one) {
      LOAD(5, from + step + tile, position);
      MULTIPLY(2, 5, 6);
      MULTIPLY(3, 5, 7);
    }
    weights += shape.blocks() * NUMBERS;
  }
  STORE(0, sums, 64);
  STORE(1, sums + CELLS, 64);
  STORE(2, sums + 2 * CELLS, 64);
  STORE(3, sums + 3 * CELLS, 64);
}

// One tile's sums, from a position on, without those of the border.
void keep(const Shape& shape, const float* sums, int position, int block, bf16* to) {
  const bool is_pair = shape.together() == 2;
  const int first = position * shape.together() + (is_pair ? block : 0);
  if (!is_pair) to += block * SIDE;
  int y = first / shape.row(), x = first % shape.row();
  for (int at = 0; at < SIDE && y < shape.height; at++) {
    if (x < shape.width)
      narrow16(sums + at * SIDE, to + y * shape.line() + long(x) * shape.channels);
    x += shape.together();
    if (x >= shape.row()) x -= shape.row(), y++;
  }
}

// Convolves pictures of one shape with the same weights, one after another.
class Convolution {
  const Shape& shape;
  const bf16* const weights;
  const std::vector<long> steps;
  Lines padded;

 public:
  // The last tiles reach behind the picture: what lies there is read, and has to be a number.
  Convolution(const Shape& shape, const bf16* weights)
      : shape(shape),
        weights(weights),
        steps(offsets(shape)),
        padded((long(shape.height + 2) * shape.row() + 4 * SIDE + 4) * shape.channels) {}

  void run(const bf16* picture, bf16* to) {
    for (int y = 0; y < shape.height; y++)
      std::memcpy(padded.begin + (long(y + 1) * shape.row() + 1) * shape.channels,
                  picture + y * shape.line(), shape.line() * sizeof(bf16));
    alignas(64) float sums[4 * CELLS];
    const int positions = shape.height * shape.row() / shape.together();
    for (int first = 0; first < positions; first += 2 * SIDE)
      for (int block = 0; block < shape.blocks(); block += 2) {
        const bool is_one = first + SIDE >= positions;
        sum_up(padded.begin + long(first) * shape.wide(), shape, steps, weights + block * NUMBERS,
               is_one, sums);
        for (int tile = 0; tile < (is_one ? 2 : 4); tile++)
          keep(shape, sums + tile * CELLS, first + tile / 2 * SIDE, block + tile % 2, to);
      }
  }
};

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
struct Stack {
  const Shape& shape;
  int pictures, positions;
  long pitch, before;
  Lines inputs, even, odd;  // [channel][position], and twice [pair of positions][channel][2]

  explicit Stack(const Shape& shape)
      : shape(shape),
        pictures(std::max(1, FEWEST_POSITIONS / apart())),
        positions(padded_up(pictures * apart() + shape.row(), DEPTH)),
        // An odd number of lines keeps the channels out of step in the cache.
        pitch(long(positions / DEPTH | 1) * DEPTH),
        before(2 * shape.row() + 2),  // the last tap looks back so far
        inputs(pitch * shape.channels),
        even((positions + before) * shape.channels),
        odd((positions + before) * shape.channels) {}

  int apart() const { return (shape.height + 1) * shape.row(); }

  void clear_gradients() {
    even.clear();
    odd.clear();
  }

  void lay(int picture, const bf16* x, const bf16* gradient) {
    for (int y = 0; y < shape.height; y++, x += shape.line(), gradient += shape.line()) {
      const long at = long(picture) * apart() + y * shape.row();
      for (int pixel = 0; pixel < shape.width; pixel += 8)
        for (int channel = 0; channel < shape.channels; channel += SIDE)
          turn(x + pixel * shape.channels + channel, shape.channels,
               inputs.begin + channel * pitch + at + shape.row() + pixel + 1, pitch);
      lay_pairs(gradient, (at + before) * shape.channels);
    }
  }

  // Neighbours of a row in pairs, from the first on and from the one before it on.
  void lay_pairs(const bf16* pixels, long at) {
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
  }

  // Adds all pictures' part: sums[input block][output block][tap][16 inputs][16 outputs].
  void add(float* sums) const {
    for (int in = 0; in < shape.channels; in += SIDE)
      for (int out = 0; out < shape.channels; out += SIDE)
        for (int dy = 0; dy < 3; dy++, sums += 3 * CELLS)
          add_row_of_taps(inputs.begin + in * pitch,
                          (before - dy * shape.row()) * shape.channels + 2 * out, sums);
  }

  void add_row_of_taps(const bf16* input, long gradient, float* sums) const {
    const long by_channel = pitch * sizeof(bf16), by_pair = 2 * shape.channels * sizeof(bf16);
    const bf16 *first = even.begin + gradient, *second = odd.begin + gradient;
    const bf16* third = first - 2 * shape.channels;
    settle();
    LOAD(0, sums, 64);
    LOAD(1, sums + CELLS, 64);
    LOAD(2, sums + 2 * CELLS, 64);
    for (int position = 0; position < positions; position += DEPTH) {
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

// What a step multiplies the k-th number of its depth by, for the n-th output of a block.
struct Kernel {
  const float* weights;
  long by_out, by_in, by_row, by_column;

  float at(const Shape& shape, int step, int block, int k, int n) const {
    const int of_row = step % (shape.steps() / 3), dy = step / (shape.steps() / 3);
    if (shape.together() == 2) {
      const int dx = 2 * of_row + k / SIDE - block;
      return dx < 0 || dx > 2 ? 0 : one(n, k % SIDE, dy, dx);
    }
    const int channel = of_row * DEPTH + k;
    return one(block * SIDE + n, channel % shape.channels, dy, channel / shape.channels);
  }

  float one(int out, int in, int dy, int dx) const {
    return weights[out * by_out + in * by_in + dy * by_row + dx * by_column];
  }
};

}  // namespace

// How many numbers packed weights have.
extern "C" long packed_size(int channels) {
  const Shape shape{0, 0, 0, channels};
  return long(shape.steps()) * shape.blocks() * NUMBERS;
}

// fp32 weights, any strides, as tiles of bf16: [step][block of outputs][16 pairs][16 outputs][2].
extern "C" void pack(const float* weights, long by_out, long by_in, long by_row,
                     long by_column, int channels, bf16* to) {
  const Shape shape{0, 0, 0, channels};
  const Kernel kernel{weights, by_out, by_in, by_row, by_column};
  for (int step = 0; step < shape.steps(); step++)
    for (int block = 0; block < shape.blocks(); block++, to += NUMBERS)
      for (int k = 0; k < DEPTH; k++)
        for (int n = 0; n < SIDE; n++)
          to[k / 2 * DEPTH + n * 2 + k % 2] = narrow(kernel.at(shape, step, block, k, n));
}

// y = the convolution of x by packed weights.
extern "C" void convolve(const bf16* x, const bf16* weights, bf16* y, int images, int height,
                         int width, int channels, int threads) {
  const Shape shape{images, height, width, channels};
#pragma omp parallel num_threads(threads)
  {
    Tiles tiles;
    Convolution convolution(shape, weights);
    const Share share(shape);
    for (long image = share.begin; image < share.end; image++)
      convolution.run(x + image * shape.picture(), y + image * shape.picture());
  }
}

// The gradients by x, a convolution by packed weights that are turned, and by the weights, fp32
// with any strides, of x and the gradient by y: both while a picture is in the cache.
extern "C" void differentiate(const bf16* x, const bf16* by_y, const bf16* turned, bf16* by_x,
                              float* by_weights, long by_out, long by_in, long by_row,
                              long by_column, int images, int height, int width, int channels,
                              int threads) {
  const Shape shape{images, height, width, channels};
  const long size = 9L * channels * channels;
  std::vector<float> parts(size * threads + SIDE);
  float* const begin = (float*)((uintptr_t(parts.data()) + 63) & ~uintptr_t(63));
#pragma omp parallel num_threads(threads)
  {
    Tiles tiles;
    Convolution convolution(shape, turned);
    Stack stack(shape);
    const Share share(shape);
    for (long first = share.begin; first < share.end; first += stack.pictures) {
      const int here = int(std::min<long>(stack.pictures, share.end - first));
      if (here < stack.pictures) stack.clear_gradients();
      for (int picture = 0; picture < here; picture++) {
        const long at = (first + picture) * shape.picture();
        convolution.run(by_y + at, by_x + at);
        stack.lay(picture, x + at, by_y + at);
      }
      stack.add(begin + size * share.thread);
    }
  }
  const float* part = begin;
  for (int in = 0; in < channels; in += SIDE)
    for (int out = 0; out < channels; out += SIDE)
      for (int tap = 0; tap < 9; tap++)
        for (int i = 0; i < SIDE; i++)
          for (int o = 0; o < SIDE; o++, part++) {
            float sum = 0;
            for (int thread = 0; thread < threads; thread++) sum += part[size * thread];
            by_weights[(out + o) * by_out + (in + i) * by_in + tap / 3 * by_row +
                       tap % 3 * by_column] = sum;
          }
}
