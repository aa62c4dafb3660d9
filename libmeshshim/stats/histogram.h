/*
 * A log-linear histogram in shared memory: 64 linear buckets for each power of two, so that a quantile's
 * relative error is at most 1 % (half a bucket, 0.8 %) from 1 µs up. Recording is one atomic add; histograms
 * add up bucket by bucket.
 */
#ifndef MESHSHIM_HISTOGRAM_H
#define MESHSHIM_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Below 1024 ns: 64 buckets of 16 ns. Then 64 for each octave up to 2^37 ns (137 s); longer counts in the
 * last. */
#define HISTOGRAM_BUCKETS (64 + 27 * 64)

struct histogram {
    _Atomic uint64_t count[HISTOGRAM_BUCKETS];
};

static inline size_t histogram_bucket(uint64_t ns)
{
    int octave;
    if (ns < 1024)
        return (size_t)(ns >> 4);
    octave = 63 - __builtin_clzll(ns);
    if (octave > 36)
        return HISTOGRAM_BUCKETS - 1;
    return 64 + (size_t)(octave - 10) * 64 + (size_t)((ns >> (octave - 6)) & 63);
}

static inline void histogram_record(struct histogram *h, uint64_t ns)
{
    atomic_fetch_add_explicit(&h->count[histogram_bucket(ns)], 1, memory_order_relaxed);
}

uint64_t histogram_total(const struct histogram *h);
/* The value in ns below which a fraction q (0..1) of the recordings lies; 0 where there are none. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* The middle of a bucket, in ns. */
uint64_t histogram_value(size_t bucket);
/* How many recordings are at most `ns` (a bucket's resolution): for Prometheus' cumulative buckets. */
uint64_t histogram_at_most(const struct histogram *h, uint64_t ns);
/* An estimate of the sum of all recordings, in ns. */
uint64_t histogram_sum(const struct histogram *h);
void histogram_add(struct histogram *to, const struct histogram *from);

#endif
