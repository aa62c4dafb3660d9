/* Latencies: 128 linear buckets for each power of two, so that a quantile is known to 0.4 %. */
#ifndef DRIVE_HISTOGRAM_H
#define DRIVE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 128 * 40 };

struct histogram {
    uint64_t total, count[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns, uint64_t times);
/* Microseconds below which the fraction q of what was added lies; 0 where nothing was. */
double histogram_us(const struct histogram *histogram, double q);

#endif
