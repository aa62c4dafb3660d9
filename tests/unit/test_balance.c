/* Which endpoint is picked: by load, in turn, by round trip, by hash; never a tried one while others are left. */
#include "mesh.h"

#include "policy/balance.h"

#include <stdlib.h>

#define ENDPOINTS 100
#define MS        1000000ll
#define SECOND    1000000000ll

/* splitmix64: the same numbers in every run. */
static uint64_t seed;

static uint64_t next_random(void)
{
    uint64_t x = seed += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* `count` endpoints under a balancer; endpoint `without` is left out (count: none). */
static struct snapshot *make(const char *balancer, unsigned count, unsigned without)
{
    struct buf text = BUF_INIT;
    struct snapshot *snapshot;

    seed = 1;
    buf_printf(&text, "[workload]\nname = web\n[service a]\nhost = a\nload_balancer = %s\nendpoints =\n",
               balancer);
    for (unsigned i = 0; i < count; i++)
        if (i != without)
            buf_printf(&text, "  %s%u%s:80\n", i % 2 ? "10.0.0." : "[fd00::", i, i % 2 ? "" : "]");
    snapshot = mesh_good(text.data);
    buf_free(&text);
    return snapshot;
}

static void count_picks(const struct service *service, const uint64_t *tried, unsigned rounds,
                        unsigned *counts)
{
    memset(counts, 0, ENDPOINTS * sizeof *counts);
    for (unsigned i = 0; i < rounds; i++) {
        size_t index = balance_pick(service, tried, next_random(), next_random(), SECOND);
        CU_ASSERT_FATAL(index < service->endpoint_count);
        counts[index]++;
    }
}

static const char *const balancers[] = { "least_request", "round_robin", "random", "peak_ewma", "ring_hash" };

/* Alike endpoints get alike shares, whatever the balancer. */
static void shares_are_even(void)
{
    unsigned counts[ENDPOINTS];
    for (size_t b = 0; b < 5; b++) {
        struct snapshot *snapshot = make(balancers[b], 10, 10);
        count_picks(snapshot_service(snapshot, 0), NULL, 10000, counts);
        for (unsigned i = 0; i < 10; i++)
            CU_ASSERT(counts[i] > 850 && counts[i] < 1150);
        snapshot_unref(snapshot);
    }
}

static void tried_ones_are_avoided(void)
{
    unsigned counts[ENDPOINTS];
    for (size_t b = 0; b < 5; b++) {
        struct snapshot *snapshot = make(balancers[b], ENDPOINTS, ENDPOINTS);
        const struct service *service = snapshot_service(snapshot, 0);
        uint64_t tried[2] = { ~(1ull << 3), ~(1ull << (99 - 64)) };

        count_picks(service, tried, 1000, counts);
        CU_ASSERT(counts[3] > 0 && counts[99] > 0);
        CU_ASSERT_EQUAL(counts[3] + counts[99], 1000);
        tried[0] = ~0ull;
        count_picks(service, tried, 10, counts);
        CU_ASSERT_EQUAL(counts[99], 10);
        /* All were tried: again from all. */
        tried[1] = ~0ull;
        count_picks(service, tried, 1000, counts);
        CU_ASSERT(counts[99] < 100);
        snapshot_unref(snapshot);
    }
}

static void one_endpoint_is_always_it(void)
{
    for (size_t b = 0; b < 5; b++) {
        struct snapshot *snapshot = make(balancers[b], 1, 1);
        uint64_t tried = 1;
        CU_ASSERT_EQUAL(balance_pick(snapshot_service(snapshot, 0), NULL, UINT64_MAX, UINT64_MAX, 0), 0);
        CU_ASSERT_EQUAL(balance_pick(snapshot_service(snapshot, 0), &tried, 0, 0, 0), 0);
        snapshot_unref(snapshot);
    }
}

static void round_robin_takes_turns(void)
{
    struct snapshot *snapshot = make("round_robin", 5, 5);
    const struct service *service = snapshot_service(snapshot, 0);
    uint64_t tried = 1 << 1 | 1 << 2;

    for (unsigned i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(balance_pick(service, NULL, next_random(), 0, 0), i % 5);
    CU_ASSERT_EQUAL(balance_pick(service, &tried, 0, 0, 0), 0);
    CU_ASSERT_EQUAL(balance_pick(service, &tried, 0, 0, 0), 3);
    snapshot_unref(snapshot);
}

/* Two different random choices: the busiest of all is never picked, the idlest wins each time that it is drawn. */
static void fewer_active_wins(void)
{
    struct snapshot *snapshot = make("least_request", 4, 4);
    const struct service *service = snapshot_service(snapshot, 0);
    unsigned counts[ENDPOINTS];

    for (unsigned i = 0; i < 4; i++)
        service->endpoints[i].active = i + 1;
    count_picks(service, NULL, 12000, counts);
    CU_ASSERT(counts[0] > 5700 && counts[0] < 6300);
    CU_ASSERT(counts[1] > 3700 && counts[1] < 4300);
    CU_ASSERT(counts[2] > 1700 && counts[2] < 2300);
    CU_ASSERT_EQUAL(counts[3], 0);
    snapshot_unref(snapshot);
}

/* --- peak EWMA --- */

static void a_peak_counts_at_once(void)
{
    struct snapshot *snapshot = make("peak_ewma", 1, 1);
    struct endpoint *endpoint = &snapshot_service(snapshot, 0)->endpoints[0];

    balance_observe(endpoint, 80 * MS, SECOND);
    CU_ASSERT_EQUAL(endpoint->rtt_ewma_ns, 80 * MS);
    /* At the very same time nothing has decayed; after 10 s 1/e of the old is left; after long, nothing. */
    balance_observe(endpoint, 1 * MS, SECOND);
    CU_ASSERT_EQUAL(endpoint->rtt_ewma_ns, 80 * MS);
    balance_observe(endpoint, 1 * MS, 11 * SECOND);
    CU_ASSERT(llabs((long long)endpoint->rtt_ewma_ns - 30062476) < 100);
    balance_observe(endpoint, 1 * MS, 1000 * SECOND);
    CU_ASSERT_EQUAL(endpoint->rtt_ewma_ns, 1 * MS);
    balance_observe(endpoint, 500 * MS, 1000 * SECOND + 1);
    CU_ASSERT_EQUAL(endpoint->rtt_ewma_ns, 500 * MS);
    /* Clocks and round trips that make no sense leave a cost that does. */
    balance_observe(endpoint, -5, 10 * SECOND);
    CU_ASSERT_EQUAL(endpoint->rtt_ewma_ns, 500 * MS);
    balance_observe(endpoint, 0, 100000 * SECOND);
    CU_ASSERT_EQUAL(endpoint->rtt_ewma_ns, 1);
    snapshot_unref(snapshot);
}

static void the_cheaper_of_two_wins(void)
{
    struct snapshot *snapshot = make("peak_ewma", 2, 2);
    const struct service *service = snapshot_service(snapshot, 0);
    unsigned counts[ENDPOINTS];

    balance_observe(&service->endpoints[0], 40 * MS, SECOND);
    count_picks(service, NULL, 100, counts);
    CU_ASSERT_EQUAL(counts[1], 100); /* never measured: 30 ms */
    service->endpoints[1].active = 1;
    count_picks(service, NULL, 100, counts);
    CU_ASSERT_EQUAL(counts[0], 100); /* 40 against 2 * 30 */
    snapshot_unref(snapshot);
}

/* One that was slow once, or was never measured, is asked again when the others' figures are fresh and its own old. */
static void nobody_is_forgotten(void)
{
    struct snapshot *snapshot = make("peak_ewma", 2, 2);
    const struct service *service = snapshot_service(snapshot, 0);
    int64_t now = SECOND;

    CU_ASSERT_EQUAL(balance_pick(service, NULL, 0, 0, now), 0);
    service->endpoints[0].rtt_ewma_ns = 100000;
    service->endpoints[0].rtt_updated_ns = now;
    CU_ASSERT_EQUAL(balance_pick(service, NULL, 0, 0, now), 0);
    service->endpoints[0].rtt_updated_ns = now + 50 * SECOND;
    CU_ASSERT_EQUAL(balance_pick(service, NULL, 0, 0, now + 50 * SECOND), 0);
    service->endpoints[0].rtt_updated_ns = now + 60 * SECOND;
    CU_ASSERT_EQUAL(balance_pick(service, NULL, 0, 0, now + 60 * SECOND), 1);
    snapshot_unref(snapshot);
}

/* --- hashing --- */

/* An endpoint that goes takes only its own keys with it. */
static void removal_moves_only_its_keys(void)
{
    struct snapshot *whole = make("ring_hash", 20, 20), *less = make("ring_hash", 20, 7);
    unsigned moved = 0;

    for (uint64_t key = 0; key < 5000; key++) {
        size_t before = balance_pick(snapshot_service(whole, 0), NULL, next_random(), key, 0);
        size_t after = balance_pick(snapshot_service(less, 0), NULL, next_random(), key, 0);
        if (before == 7)
            moved++;
        else
            CU_ASSERT_STRING_EQUAL(snapshot_service(whole, 0)->endpoints[before].text,
                                   snapshot_service(less, 0)->endpoints[after].text);
    }
    CU_ASSERT(moved > 150 && moved < 350);
    snapshot_unref(whole);
    snapshot_unref(less);
}

/* --- back-off --- */

static void backoff_grows_to_its_bound(void)
{
    static const int64_t bounds[] = { 0, 25, 75, 175, 250, 250 };
    for (unsigned attempt = 1; attempt < 6; attempt++) {
        CU_ASSERT_EQUAL(balance_backoff_ms(attempt, 0), 0);
        CU_ASSERT_EQUAL(balance_backoff_ms(attempt, UINT64_MAX), bounds[attempt] - 1);
        CU_ASSERT_EQUAL(balance_backoff_ms(attempt, 0x80000000u), bounds[attempt] / 2);
    }
    CU_ASSERT_EQUAL(balance_backoff_ms(UINT32_MAX, UINT64_MAX), 249);
}

static CU_TestInfo tests[] = {
    { "shares are even", shares_are_even },
    { "tried ones are avoided", tried_ones_are_avoided },
    { "one endpoint is always it", one_endpoint_is_always_it },
    { "round robin takes turns", round_robin_takes_turns },
    { "fewer active wins", fewer_active_wins },
    { "a peak counts at once", a_peak_counts_at_once },
    { "the cheaper of two wins", the_cheaper_of_two_wins },
    { "nobody is forgotten", nobody_is_forgotten },
    { "removal moves only its keys", removal_moves_only_its_keys },
    { "back-off grows to its bound", backoff_grows_to_its_bound },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("balance", tests);
}
