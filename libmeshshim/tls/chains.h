/*
 * Certificate chains that were verified, remembered by their digest: verifying signatures is a good part of a
 * handshake's cost. Holds nothing that a peer could not have had verified; bounded; never waits for its lock.
 */
#ifndef MESHSHIM_CHAINS_H
#define MESHSHIM_CHAINS_H

#include <stdbool.h>
#include <stdint.h>

#define CHAINS_DIGEST 32

struct chains;

struct chains *chains_new(void);
void chains_free(struct chains *chains);
/* Was the chain verified before, and is it valid at `now` (seconds since the epoch)? Until when it is, 0: no. */
int64_t chains_know(struct chains *chains, const uint8_t digest[CHAINS_DIGEST], int64_t now);
/* It verified, and is valid from `from` to `until`. Another one may be forgotten. */
void chains_remember(struct chains *chains, const uint8_t digest[CHAINS_DIGEST], int64_t from, int64_t until);

#endif
