/* See chains.h. */
#include "tls/chains.h"

#include <stdatomic.h>
#include <string.h>

#include "base/banned.h"

enum { SETS = 64, WAYS = 4, ATTEMPTS = 200 };

struct chain {
    uint8_t digest[CHAINS_DIGEST];
    int64_t from, until; /* until 0: empty */
};

struct chains {
    atomic_flag busy;
    struct chain chain[SETS][WAYS];
};

struct chains *chains_new(void)
{
    return calloc(1, sizeof(struct chains));
}

void chains_free(struct chains *chains)
{
    free(chains);
}

/* A fork may have copied the flag while another thread held it: give up then, the chain is only verified
 * again. */
static bool enter(struct chains *chains)
{
    for (int i = 0; i < ATTEMPTS; i++)
        if (!atomic_flag_test_and_set_explicit(&chains->busy, memory_order_acquire))
            return true;
    return false;
}

static void leave(struct chains *chains)
{
    atomic_flag_clear_explicit(&chains->busy, memory_order_release);
}

static struct chain *find(struct chains *chains, const uint8_t *digest)
{
    struct chain *set = chains->chain[digest[0] % SETS];

    for (int i = 0; i < WAYS; i++)
        if (set[i].until != 0 && memcmp(set[i].digest, digest, CHAINS_DIGEST) == 0)
            return &set[i];
    return NULL;
}

/* An empty place of the set, else one by a byte of the digest, which is as good as chance. */
static struct chain *place(struct chain *set, const uint8_t *digest)
{
    for (int i = 0; i < WAYS; i++)
        if (set[i].until == 0)
            return &set[i];
    return &set[digest[1] % WAYS];
}

int64_t chains_know(struct chains *chains, const uint8_t digest[CHAINS_DIGEST], int64_t now)
{
    const struct chain *chain;
    int64_t until = 0;

    if (!enter(chains))
        return 0;
    chain = find(chains, digest);
    if (chain && now >= chain->from && now <= chain->until)
        until = chain->until;
    leave(chains);
    return until;
}

void chains_remember(struct chains *chains, const uint8_t digest[CHAINS_DIGEST], int64_t from, int64_t until)
{
    struct chain *chain;

    if (!enter(chains))
        return;
    chain = find(chains, digest);
    if (!chain)
        chain = place(chains->chain[digest[0] % SETS], digest);
    memcpy(chain->digest, digest, CHAINS_DIGEST);
    chain->from = from;
    chain->until = until;
    leave(chains);
}
