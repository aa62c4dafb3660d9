/* Histograms: where a value is counted, and how far a quantile may be off. */
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "stats/histogram.h"

static struct histogram h;

static void clear(void)
{
    memset(&h, 0, sizeof h);
}

static void every_bucket_holds_its_own_value(void)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        CU_ASSERT_EQUAL_FATAL(histogram_bucket(histogram_value(i)), i);
        CU_ASSERT_TRUE_FATAL(i == 0 || histogram_value(i) > histogram_value(i - 1));
    }
    CU_ASSERT_EQUAL(histogram_bucket(0), 0);
    CU_ASSERT_EQUAL(histogram_bucket(1023), 63);
    CU_ASSERT_EQUAL(histogram_bucket(1024), 64);
    CU_ASSERT_EQUAL(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    CU_ASSERT_EQUAL(histogram_value(SIZE_MAX), histogram_value(HISTOGRAM_BUCKETS - 1));
}

static void a_value_is_off_by_at_most_one_percent(void)
{
    for (double value = 1000; value < 137e9; value *= 1.0007) {
        uint64_t ns = (uint64_t)value, seen = histogram_value(histogram_bucket(ns));
        CU_ASSERT_TRUE_FATAL(fabs((double)seen - (double)ns) <= 0.01 * (double)ns);
    }
}

static void nothing_recorded_is_zero(void)
{
    clear();
    CU_ASSERT_EQUAL(histogram_total(&h), 0);
    CU_ASSERT_EQUAL(histogram_quantile(&h, 0.5), 0);
    CU_ASSERT_EQUAL(histogram_sum(&h), 0);
    CU_ASSERT_EQUAL(histogram_at_most(&h, UINT64_MAX), 0);
}

static bool near(uint64_t seen, double wanted)
{
    return fabs((double)seen - wanted) <= 0.01 * wanted;
}

static void quantiles_of_a_known_distribution(void)
{
    clear();
    for (uint64_t i = 1; i <= 10000; i++)
        histogram_record(&h, i * 10000);
    CU_ASSERT_EQUAL(histogram_total(&h), 10000);
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 0.5), 50e6));
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 0.9), 90e6));
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 0.99), 99e6));
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 0.999), 99.9e6));
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 1), 100e6));
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 0), 10e3));
    CU_ASSERT_TRUE(near(histogram_sum(&h), 10000.0 * 10001 / 2 * 10000));
}

/* Of 100 recordings the 99th is p99, not the hundredth, for all that 0.99 * 100 is in floating point. */
static void a_quantile_is_the_nearest_rank(void)
{
    clear();
    for (int i = 0; i < 99; i++)
        histogram_record(&h, 2000);
    histogram_record(&h, 5000000);
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 0.99), 2000));
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 0.999), 5000000));
    CU_ASSERT_TRUE(near(histogram_quantile(&h, NAN), 2000));
    CU_ASSERT_TRUE(near(histogram_quantile(&h, 7), 5000000));
}

static void at_most_is_cumulative(void)
{
    clear();
    histogram_record(&h, 1000);
    histogram_record(&h, 1000000);
    histogram_record(&h, UINT64_MAX);
    CU_ASSERT_EQUAL(histogram_at_most(&h, 500), 0);
    CU_ASSERT_EQUAL(histogram_at_most(&h, 1000), 1);
    CU_ASSERT_EQUAL(histogram_at_most(&h, 999999999), 2);
    CU_ASSERT_EQUAL(histogram_at_most(&h, UINT64_MAX), 3);
}

static void histograms_add_up(void)
{
    static struct histogram other;
    clear();
    memset(&other, 0, sizeof other);
    histogram_record(&h, 1000);
    histogram_record(&other, 1000);
    histogram_record(&other, 3000000);
    histogram_add(&h, &other);
    CU_ASSERT_EQUAL(histogram_total(&h), 3);
    CU_ASSERT_EQUAL(histogram_at_most(&h, 1000), 2);
}

static CU_TestInfo tests[] = {
    { "every bucket holds its own value", every_bucket_holds_its_own_value },
    { "a value is off by at most one percent", a_value_is_off_by_at_most_one_percent },
    { "nothing recorded is zero", nothing_recorded_is_zero },
    { "quantiles of a known distribution", quantiles_of_a_known_distribution },
    { "a quantile is the nearest rank", a_quantile_is_the_nearest_rank },
    { "at most is cumulative", at_most_is_cumulative },
    { "histograms add up", histograms_add_up },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("histogram", tests);
}
