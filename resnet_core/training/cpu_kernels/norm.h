// Batch norm, in parts that other work takes along: sums while a layer's values are written, scale
// and shift where they are read.

#pragma once

#include <cmath>

#include "pictures.h"

namespace {

// What batch norm needs of a layer: a channel's two sums, of each thread's pictures.
class Totals {
  const int channels;
  std::vector<double> sums;  // [thread][2][channel]

 public:
  Totals(int channels, int threads) : channels(channels), sums(2L * channels * threads) {}
  double* of(int thread) { return sums.data() + 2L * channels * thread; }
  void clear(int thread) { std::fill(of(thread), of(thread) + 2 * channels, 0); }
  double total(int which, int channel) const {
    double found = 0;
    for (size_t at = which * channels + channel; at < sums.size(); at += 2 * channels)
      found += sums[at];
    return found;
  }
};

// Sums of 16 channels of a picture: in registers while a tile is read, in fp32 a picture, in fp64
// from picture to picture.
struct Pair {
  Row first, second;
};

class Sums {
  const int channels;
  Lines<float> now;

 public:
  explicit Sums(int channels) : channels(channels), now(2 * channels) {}
  Pair at(int channel) const { return {row(now.begin + channel), row(now.begin + channels + channel)}; }
  void keep(int channel, const Pair& pair) {
    put(pair.first, now.begin + channel);
    put(pair.second, now.begin + channels + channel);
  }
  void add_to(double* totals) {
    for (int i = 0; i < 2 * channels; i++) totals[i] += now.begin[i];
    now.clear();
  }
};

// Batch norm of one layer in training (Ioffe and Szegedy 2015, arXiv 1502.03167, Alg. 1): what it is
// given, and what it finds of a batch.
struct Learned {
  const float *gamma, *beta;
  float *mean, *variance;  // forward, the mean is a guess of itself to begin with
  float eps;
};

// A channel times `scale` plus `shift`, and back.
class Norm {
  void set_scale(const Learned& learned, int channel) {
    const double mean = learned.mean[channel], variance = learned.variance[channel];
    const double factor = learned.gamma[channel] / std::sqrt(variance + learned.eps);
    scale.begin[channel] = float(factor);
    shift.begin[channel] = float(learned.beta[channel] - mean * factor);
  }

 public:
  Lines<float> scale, shift, middle;  // middle: what sums are taken around
  Lines<float> of_y, rest;            // the gradient: by_z * scale + y * of_y + rest
  explicit Norm(int channels)
      : scale(channels), shift(channels), middle(channels), of_y(channels), rest(channels) {}

  // Forward, before and after a layer's values are added up.
  void look_around(const Learned& learned) {
    std::memcpy(middle.begin, learned.mean, middle.size * sizeof(float));
  }
  void settle(const Learned& learned, const Totals& totals, double values) {
    for (int channel = 0; channel < middle.size; channel++) {
      const double offset = totals.total(0, channel) / values;
      const double variance = totals.total(1, channel) / values - offset * offset;
      learned.mean[channel] += float(offset);
      learned.variance[channel] = float(std::max(variance, 0.));  // in this order NaN stays
      set_scale(learned, channel);
    }
  }

  // Backward, before and after what it needs of the gradient is added up.
  void look_back(const Learned& learned) {
    look_around(learned);
    for (int channel = 0; channel < middle.size; channel++) set_scale(learned, channel);
  }
  void settle_back(const Learned& learned, const Totals& totals, double values, float* to_gamma,
                   float* to_beta) {
    for (int channel = 0; channel < middle.size; channel++) {
      const double inverse = 1 / std::sqrt(double(learned.variance[channel]) + learned.eps);
      const double factor = learned.gamma[channel] * inverse, by_beta = totals.total(0, channel),
                   by_gamma = totals.total(1, channel) * inverse;
      of_y.begin[channel] = float(-factor * inverse * by_gamma / values);
      rest.begin[channel] = float(factor * (inverse * by_gamma * learned.mean[channel] - by_beta) / values);
      to_beta[channel] = float(by_beta);
      to_gamma[channel] = float(by_gamma);
    }
  }
};

// Forward: writes a convolution down, and adds up its values, as they are kept, and their squares.
struct Measurer {
  bf16* to;
  const float* around;
  Sums& sums;
  struct At {
    bf16* to;
    Row around;
    Pair pair;
    void take(Row sums, long place) {
      const Halves kept = narrowed(sums);
      std::memcpy(to + place, &kept, sizeof kept);
      const Row values = widened(kept) - around;
      pair.first += values;
      pair.second += values * values;
    }
  };
  At at(int channel) const { return {to, row(around + channel), sums.at(channel)}; }
  void done(int channel, const At& at) { sums.keep(channel, at.pair); }
};

// relu(y * scale + shift + added) of some pixels; `also`, if given, gets the same.
void activate(const bf16* y, const Norm& norm, const bf16* added, int channels, int pixels, bf16* to,
              bf16* also) {
  for (int channel = 0; channel < channels; channel += SIDE) {
    const Row scale = row(norm.scale.begin + channel), shift = row(norm.shift.begin + channel);
    for (long at = channel; at < long(pixels) * channels; at += channels) {
      Row value = widen16(y + at) * scale + shift;
      if (added) value += widen16(added + at);
      value = positive(value);
      narrow16(value, to + at);
      if (also) narrow16(value, also + at);
    }
  }
}

// The gradient by y of some pixels, of that by what batch norm makes of it.
void before_norm(const bf16* gradient, const bf16* y, const Norm& norm, int channels, int pixels,
                 bf16* to) {
  for (int channel = 0; channel < channels; channel += SIDE) {
    const Row scale = row(norm.scale.begin + channel), of_y = row(norm.of_y.begin + channel),
              rest = row(norm.rest.begin + channel);
    for (long at = channel; at < long(pixels) * channels; at += channels)
      narrow16(widen16(gradient + at) * scale + widen16(y + at) * of_y + rest, to + at);
  }
}

}  // namespace
