/* See comparison.h. */
#include "comparison.h"

#include "base/banned.h"

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Sorts what it is given. */
static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double median_of(const double *values, size_t count)
{
    double copy[ROUNDS_MOST] = { 0 };
    memcpy(copy, values, count * sizeof *values);
    return median(copy, count);
}

static double distance(double a, double b)
{
    return a > b ? a - b : b - a;
}

static double square_root(double value)
{
    double root = value > 1 ? value : 1;
    for (int i = 0; i < 40; i++)
        root = (root + value / root) / 2;
    return root;
}

/*
 * Ratios within a round: what disturbed one disturbed the other. Twice the standard error of their median, by way of the
 * median absolute deviation, for which one round that went wrong is nothing: 2 * 1.4826 * 1.2533 / sqrt(n).
 */
void comparison_of(const struct series *series, struct comparison *comparison)
{
    double ratios[ROUNDS_MOST] = { 0 }, away[ROUNDS_MOST] = { 0 }, middle;
    size_t count = series->rounds;

    for (size_t i = 0; i < count; i++)
        ratios[i] = series->plain[i] > 0 ? series->meshed[i] / series->plain[i] : 1;
    middle = median(ratios, count);
    for (size_t i = 0; i < count; i++)
        away[i] = distance(ratios[i], middle);
    comparison->plain = median_of(series->plain, count);
    comparison->meshed = median_of(series->meshed, count);
    comparison->change = middle - 1;
    comparison->noise = 3.716 * median(away, count) / square_root((double)count);
}

bool comparison_tells(const struct comparison *comparison)
{
    return distance(comparison->change, 0) > comparison->noise;
}

void comparison_write(struct buf *out, const struct comparison *comparison, const struct claim *claim,
                      const char *plain, const char *meshed, size_t rounds)
{
    double percent = 100 * distance(comparison->change, 0), noise = 100 * comparison->noise;

    if (comparison_tells(comparison))
        buf_printf(out,
                   "Meshed, %s %.1f %% %s (median of %zu interleaved rounds, %s against %s; noise ±%.1f %%).",
                   claim->subject, percent, comparison->change > 0 ? claim->more : claim->less, rounds,
                   meshed, plain, noise);
    else
        buf_printf(
            out,
            "Meshed, %s %s, as far as this can tell: the difference of %.1f %% (median of %zu interleaved "
            "rounds, %s against %s) is within the noise of ±%.1f %%; more rounds, or an idle machine, tell "
            "more.",
            claim->subject, claim->same, percent, rounds, meshed, plain, noise);
}
