/* Choosing an endpoint. Pure: time and randomness are arguments. */
#ifndef MESHSHIM_BALANCE_H
#define MESHSHIM_BALANCE_H

#include "policy/snapshot.h"

/*
 * Picks an endpoint of `service`, avoiding those in `tried` (a bit an endpoint, endpoint i at bit i % 64 of
 * tried[i / 64]; NULL: none tried) while an untried one is left. `random` is 64 random bits; `hash` the ring_hash key
 * (what the program dialled). Returns the index; service->endpoint_count must not be 0.
 */
size_t balance_pick(const struct service *service, const uint64_t *tried, uint64_t random, uint64_t hash,
                    int64_t now_ns);
/* Linkerd's peak EWMA: a slower round trip counts at once, a faster one decays in over 10 s. */
void balance_observe(struct endpoint *endpoint, int64_t rtt_ns, int64_t now_ns);
/* Envoy's retry back-off: uniform in [0, (2^attempt - 1) * 25 ms), at most 250 ms; attempt counts from 1. */
int64_t balance_backoff_ms(unsigned attempt, uint64_t random);

#endif
