/* See balance.h. */
#include "policy/balance.h"

#include <netinet/in.h>

#include "base/banned.h"

#define EWMA_START_NS   30000000ull    /* what an endpoint costs that was never measured */
#define EWMA_DECAY_NS   10000000000ull /* the time constant */
#define BACKOFF_BASE_MS 25
#define BACKOFF_MOST_MS 250

/* --- candidates --- */

/* The endpoints that may be picked: those not tried, or all once everything was. */
struct candidates {
    const uint64_t *tried; /* NULL: all may */
    size_t total, count;
};

static bool is_tried(const uint64_t *tried, size_t index)
{
    return tried && (tried[index / 64] >> (index % 64) & 1);
}

static struct candidates candidates_of(const struct service *service, const uint64_t *tried)
{
    struct candidates all = { NULL, service->endpoint_count, service->endpoint_count };
    struct candidates left = { tried, service->endpoint_count, 0 };

    if (!tried)
        return all;
    for (size_t i = 0; i < left.total; i++)
        left.count += !is_tried(tried, i);
    return left.count ? left : all;
}

/* The n-th candidate's index. */
static size_t candidate(const struct candidates *candidates, size_t n)
{
    size_t index = 0;
    if (candidates->count == candidates->total)
        return n;
    for (;; index++)
        if (!is_tried(candidates->tried, index) && n-- == 0)
            return index;
}

/* 32 random bits to a number below `count`. */
static size_t below(uint32_t bits, size_t count)
{
    return (size_t)((uint64_t)bits * count >> 32);
}

/* Two candidates, different ones where there are two. */
static void choose_two(const struct candidates *candidates, uint64_t bits, size_t *one, size_t *two)
{
    size_t first = below((uint32_t)bits, candidates->count), second = first;
    if (candidates->count > 1) {
        second = below((uint32_t)(bits >> 32), candidates->count - 1);
        second += second >= first;
    }
    *one = candidate(candidates, first);
    *two = candidate(candidates, second);
}

/* --- peak EWMA --- */

/* e^-x for x >= 0, to a millionth. By hand, for the library does without libm. */
static double exp_minus(double x)
{
    double power, sum = 1;
    if (x > 40)
        return 0;
    power = x / 1024;
    for (int i = 6; i > 0; i--)
        sum = 1 - power / i * sum;
    for (int i = 0; i < 10; i++)
        sum *= sum;
    return sum;
}

/* How much of an estimate is left after the time since it was made. */
static double decay_since(int64_t updated_ns, int64_t now_ns)
{
    return now_ns > updated_ns ? exp_minus((double)(now_ns - updated_ns) / EWMA_DECAY_NS) : 1;
}

/* An endpoint never seen begins to count from when it is first considered. */
static uint64_t estimate_of(struct endpoint *endpoint, int64_t now_ns)
{
    uint64_t estimate = atomic_load_explicit(&endpoint->rtt_ewma_ns, memory_order_relaxed);
    if (estimate)
        return estimate;
    if (atomic_compare_exchange_strong(&endpoint->rtt_ewma_ns, &estimate, EWMA_START_NS))
        atomic_store_explicit(&endpoint->rtt_updated_ns, now_ns, memory_order_relaxed);
    return estimate ? estimate : EWMA_START_NS;
}

/* Estimates decay when nothing is heard, so that an endpoint that was slow once is asked again one day. */
static double cost_of(struct endpoint *endpoint, int64_t now_ns)
{
    double estimate = (double)estimate_of(endpoint, now_ns);
    int64_t updated = atomic_load_explicit(&endpoint->rtt_updated_ns, memory_order_relaxed);
    uint32_t active = atomic_load_explicit(&endpoint->active, memory_order_relaxed);
    return estimate * decay_since(updated, now_ns) * ((double)active + 1);
}

void balance_observe(struct endpoint *endpoint, int64_t rtt_ns, int64_t now_ns)
{
    double rtt = rtt_ns > 0 ? (double)rtt_ns : 1;
    uint64_t before = estimate_of(endpoint, now_ns), after;

    do {
        int64_t updated = atomic_load_explicit(&endpoint->rtt_updated_ns, memory_order_relaxed);
        double left = decay_since(updated, now_ns);
        after = rtt >= (double)before ? (uint64_t)rtt : (uint64_t)((double)before * left + rtt * (1 - left));
        after += after == 0; /* 0 means never seen */
    } while (!atomic_compare_exchange_weak(&endpoint->rtt_ewma_ns, &before, after));
    atomic_store_explicit(&endpoint->rtt_updated_ns, now_ns, memory_order_relaxed);
}

/* --- the balancers --- */

static size_t pick_least_request(const struct service *service, const struct candidates *candidates,
                                 uint64_t bits)
{
    size_t one, two;
    choose_two(candidates, bits, &one, &two);
    return atomic_load_explicit(&service->endpoints[two].active, memory_order_relaxed) <
                   atomic_load_explicit(&service->endpoints[one].active, memory_order_relaxed)
               ? two
               : one;
}

static size_t pick_peak_ewma(const struct service *service, const struct candidates *candidates,
                             uint64_t bits, int64_t now_ns)
{
    size_t one, two;
    choose_two(candidates, bits, &one, &two);
    return cost_of(&service->endpoints[two], now_ns) < cost_of(&service->endpoints[one], now_ns) ? two : one;
}

static size_t pick_round_robin(const struct service *service, const struct candidates *candidates)
{
    /* The one thing of a service that changes after it was built: its position. */
    struct service *position = (struct service *)(uintptr_t)service;
    size_t index =
        atomic_fetch_add_explicit(&position->next_endpoint, 1, memory_order_relaxed) % candidates->total;
    while (is_tried(candidates->tried, index))
        index = (index + 1) % candidates->total;
    return index;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* From the address alone, so that every process and every version of the configuration agrees. */
static uint64_t endpoint_hash(const struct endpoint *endpoint)
{
    uint64_t half[2] = { 0, 0 };
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (endpoint->address.ss_family == AF_INET) {
        memcpy(&v4, &endpoint->address, sizeof v4);
        return mix((uint64_t)v4.sin_addr.s_addr << 16 | v4.sin_port);
    }
    memcpy(&v6, &endpoint->address, sizeof v6);
    memcpy(half, &v6.sin6_addr, sizeof half);
    return mix(mix(half[0]) ^ half[1]) ^ v6.sin6_port;
}

/* Rendezvous hashing: the highest score wins, so an endpoint that goes takes only its own keys with it. */
static size_t pick_ring_hash(const struct service *service, const struct candidates *candidates,
                             uint64_t hash)
{
    size_t best = candidate(candidates, 0);
    uint64_t key = mix(hash + 0x9e3779b97f4a7c15u), highest = 0;

    for (size_t i = best; i < candidates->total; i++) {
        uint64_t score = mix(key ^ endpoint_hash(&service->endpoints[i]));
        if (is_tried(candidates->tried, i) || score <= highest)
            continue;
        highest = score;
        best = i;
    }
    return best;
}

size_t balance_pick(const struct service *service, const uint64_t *tried, uint64_t random, uint64_t hash,
                    int64_t now_ns)
{
    struct candidates candidates = candidates_of(service, tried);

    switch (service->load_balancer) {
    case LB_ROUND_ROBIN:
        return pick_round_robin(service, &candidates);
    case LB_RANDOM:
        return candidate(&candidates, below((uint32_t)random, candidates.count));
    case LB_PEAK_EWMA:
        return pick_peak_ewma(service, &candidates, random, now_ns);
    case LB_RING_HASH:
        return pick_ring_hash(service, &candidates, hash);
    case LB_LEAST_REQUEST:
        break;
    }
    return pick_least_request(service, &candidates, random);
}

int64_t balance_backoff_ms(unsigned attempt, uint64_t random)
{
    int64_t most = BACKOFF_MOST_MS;
    if (attempt < 8 && ((1 << attempt) - 1) * BACKOFF_BASE_MS < most)
        most = ((1 << attempt) - 1) * BACKOFF_BASE_MS;
    return (int64_t)below((uint32_t)random, (size_t)most);
}
