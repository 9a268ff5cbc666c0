// Counts times in buckets that are 1/64 of their power of two wide: a quantile is off by at most 1.6 %.
#pragma once
#include "common.h"

enum { SUB_BITS = 6, BUCKETS = 64 << SUB_BITS };

struct histogram {
  uint64_t counts[BUCKETS];
  uint64_t count;
  int64_t max;
};

static inline void histogram_add(struct histogram *all, int64_t value) {
  if (value < 0) value = 0;
  if (value > all->max) all->max = value;
  int power = value < (1 << SUB_BITS) ? 0 : 63 - __builtin_clzll((uint64_t)value) - SUB_BITS;
  int bucket = power == 0 ? (int)value : (power << SUB_BITS) + (int)(value >> power);
  all->counts[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
  all->count++;
}

/// The middle of the bucket in which the quantile lies.
static inline double histogram_quantile(const struct histogram *all, double share) {
  uint64_t rank = (uint64_t)((double)all->count * share), seen = 0;
  if (all->count == 0) return 0;
  if (rank >= all->count) rank = all->count - 1;
  for (int bucket = 0; bucket < BUCKETS; bucket++) {
    seen += all->counts[bucket];
    if (seen <= rank) continue;
    int power = bucket < (2 << SUB_BITS) ? 0 : (bucket >> SUB_BITS) - 1;
    double low = power == 0 ? bucket : (double)((uint64_t)(bucket - (power << SUB_BITS)) << power);
    double middle = low + (double)(1ULL << power) / 2;
    return middle < (double)all->max ? middle : (double)all->max;
  }
  return (double)all->max;
}

/// As JSON members: with the name `p` they are p50Us, p90Us, p99Us and p100Us, the longest.
static inline void histogram_print(const struct histogram *all, const char *name) {
  const double shares[] = {0.5, 0.9, 0.99, 1};
  for (int i = 0; i < 4; i++) {
    double us = (i == 3 ? (double)all->max : histogram_quantile(all, shares[i])) / 1e3;
    printf("%s\"%s%.0fUs\":%.1f", i == 0 ? "" : ",", name, shares[i] * 100, us);
  }
}
