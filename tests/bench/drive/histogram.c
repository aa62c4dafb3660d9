/* See histogram.h. */
#include "histogram.h"

static unsigned bucket_of(uint64_t ns)
{
    int octave = 0;
    while (ns >> octave >= 256)
        octave++;
    return (unsigned)(octave * 128) + (unsigned)(ns >> octave);
}

/* The middle of a bucket. */
static double value_of(unsigned bucket)
{
    unsigned octave = bucket < 256 ? 0 : bucket / 128 - 1;
    return ((double)(bucket - octave * 128) + 0.5) * (double)(1ULL << octave);
}

void histogram_add(struct histogram *histogram, uint64_t ns, uint64_t times)
{
    unsigned bucket = bucket_of(ns);
    histogram->count[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1] += times;
    histogram->total += times;
}

double histogram_us(const struct histogram *histogram, double q)
{
    uint64_t below = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += histogram->count[i];
        if (below > 0 && (double)below >= q * (double)histogram->total)
            return value_of(i) / 1000;
    }
    return 0;
}
