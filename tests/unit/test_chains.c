/* The memory of verified chains: dates, bounds, and a lock that is never waited for. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "tls/chains.h"

static void digest_of(unsigned n, uint8_t digest[CHAINS_DIGEST])
{
    memset(digest, 0, CHAINS_DIGEST);
    memcpy(digest, &n, sizeof n);
}

static void known_within_its_dates(void)
{
    struct chains *chains = chains_new();
    uint8_t one[CHAINS_DIGEST], two[CHAINS_DIGEST];

    digest_of(1, one);
    digest_of(1 + 256, two); /* the same set */
    CU_ASSERT_FALSE(chains_know(chains, one, 150));
    chains_remember(chains, one, 100, 200);
    CU_ASSERT_TRUE(chains_know(chains, one, 100));
    CU_ASSERT_TRUE(chains_know(chains, one, 200));
    CU_ASSERT_FALSE(chains_know(chains, one, 99));
    CU_ASSERT_FALSE(chains_know(chains, one, 201));
    CU_ASSERT_FALSE(chains_know(chains, two, 150));
    chains_free(chains);
}

/* However many are remembered, the newest is known and the old ones give way. */
static void bounded(void)
{
    struct chains *chains = chains_new();
    uint8_t digest[CHAINS_DIGEST];
    int known = 0;

    for (unsigned i = 0; i < 10000; i++) {
        digest_of(i, digest);
        chains_remember(chains, digest, 0, 100);
        CU_ASSERT_TRUE(chains_know(chains, digest, 50));
    }
    for (unsigned i = 0; i < 10000; i++) {
        digest_of(i, digest);
        known += chains_know(chains, digest, 50) != 0;
    }
    CU_ASSERT_TRUE(known >= 128 && known <= 256);
    chains_free(chains);
}

static void *hammer(void *chains)
{
    uint8_t digest[CHAINS_DIGEST];
    long wrong = 0;

    for (unsigned i = 0; i < 20000; i++) {
        digest_of(i % 300, digest);
        chains_remember(chains, digest, i % 300, i % 300);
        wrong += chains_know(chains, digest, i % 300 + 1);
    }
    return wrong ? chains : NULL;
}

static void many_threads(void)
{
    struct chains *chains = chains_new();
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, hammer, chains), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CU_ASSERT_PTR_NULL(wrong);
    }
    chains_free(chains);
}

static CU_TestInfo tests[] = {
    { "known within its dates", known_within_its_dates },
    { "bounded", bounded },
    { "many threads", many_threads },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("chains", tests);
}
