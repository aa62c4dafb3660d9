/* See histogram.h. */
#include "stats/histogram.h"

#include "base/banned.h"

static uint64_t at(const struct histogram *h, size_t bucket)
{
    return atomic_load_explicit(&h->count[bucket], memory_order_relaxed);
}

uint64_t histogram_total(const struct histogram *h)
{
    uint64_t total = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += at(h, i);
    return total;
}

uint64_t histogram_value(size_t bucket)
{
    size_t octave;
    uint64_t width;
    if (bucket < 64)
        return bucket * 16 + 8;
    if (bucket >= HISTOGRAM_BUCKETS)
        bucket = HISTOGRAM_BUCKETS - 1;
    octave = (bucket - 64) / 64 + 10;
    width = UINT64_C(1) << (octave - 6);
    return (UINT64_C(1) << octave) + (bucket - 64) % 64 * width + width / 2;
}

/* Which recording, counted from 1 in ascending order, is the quantile's: the nearest rank. */
static uint64_t rank_of(double q, uint64_t total)
{
    double rank;
    if (!(q > 0))
        return 1;
    rank = (double)total * q;
    if (q >= 1 || rank >= (double)total)
        return total;
    /* 0.99 * 100 is a little more than 99: do not let that count as 100. */
    rank -= rank * 1e-12;
    return (uint64_t)rank + ((double)(uint64_t)rank < rank ? 1 : 0);
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    uint64_t total = histogram_total(h), rank = rank_of(q, total), below = 0;
    size_t last = 0;
    if (total == 0)
        return 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t here = at(h, i);
        if (here == 0)
            continue;
        last = i;
        below += here;
        if (below >= rank)
            break;
    }
    return histogram_value(last);
}

uint64_t histogram_at_most(const struct histogram *h, uint64_t ns)
{
    size_t end = histogram_bucket(ns);
    uint64_t total = 0;
    for (size_t i = 0; i <= end; i++)
        total += at(h, i);
    return total;
}

uint64_t histogram_sum(const struct histogram *h)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum += at(h, i) * histogram_value(i);
    return sum;
}

void histogram_add(struct histogram *to, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = at(from, i);
        if (count)
            atomic_fetch_add_explicit(&to->count[i], count, memory_order_relaxed);
    }
}
