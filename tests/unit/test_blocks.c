/* Blocks: sizes, that two are never the same, that nothing is left in them, and that many that were given back leave no memory behind. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blocks.h"
#include "check.h"

enum { MOST = 500, SSL_BUFFER = 21845, SSL_OBJECT = 7500 };

static uint8_t *taken[MOST];

static void only_large_pieces(void)
{
    CU_ASSERT_PTR_NULL(blocks_take(BLOCKS_LEAST - 1));
    CU_ASSERT_PTR_NULL(blocks_take(1 << 20));
    for (size_t size = BLOCKS_LEAST; size <= SSL_BUFFER; size += 401) {
        uint8_t *block = blocks_take(size);
        CU_ASSERT_PTR_NOT_NULL_FATAL(block);
        CU_ASSERT_TRUE(blocks_size(block) >= size);
        memset(block, 1, blocks_size(block));
        blocks_give(block);
    }
}

static void strangers_are_known(void)
{
    uint8_t *block = blocks_take(SSL_BUFFER), *program = malloc(SSL_BUFFER);
    CU_ASSERT_EQUAL(blocks_size(NULL), 0);
    CU_ASSERT_EQUAL(blocks_size(program), 0);
    CU_ASSERT_EQUAL(blocks_size(taken), 0);
    blocks_give(block);
    free(program);
}

static size_t size_of(int i)
{
    return i % 3 ? SSL_OBJECT : SSL_BUFFER;
}

static void take_all(void)
{
    for (int i = 0; i < MOST; i++) {
        taken[i] = blocks_take(size_of(i));
        CU_ASSERT_PTR_NOT_NULL_FATAL(taken[i]);
        memset(taken[i], i % 251, size_of(i));
    }
}

static void give_all(void)
{
    for (int i = 0; i < MOST; i++)
        blocks_give(taken[(i * 7) % MOST]); /* in another order */
}

static void no_two_are_one(void)
{
    bool whole = true;
    for (int round = 0; round < 3; round++) {
        take_all();
        for (int i = 0; i < MOST; i++)
            for (size_t at = 0; at < size_of(i); at++)
                whole = whole && taken[i][at] == i % 251;
        give_all();
    }
    CU_ASSERT_TRUE(whole);
}

/* Those that are kept, and those of which only the address is. */
static void nothing_is_left_in_them(void)
{
    bool empty = true;
    take_all();
    give_all();
    for (int i = 0; i < MOST; i++) {
        taken[i] = blocks_take(size_of(i));
        for (size_t at = 0; at < blocks_size(taken[i]); at++)
            empty = empty && taken[i][at] == 0;
    }
    give_all();
    CU_ASSERT_TRUE(empty);
}

static long private_kib(void)
{
    char line[128];
    long kib = -1;
    FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
    while (rollup && fgets(line, sizeof line, rollup))
        if (sscanf(line, "Private_Dirty: %ld kB", &kib) == 1)
            break;
    if (rollup)
        fclose(rollup);
    return kib;
}

static void little_is_kept(void)
{
    long before = private_kib(), most, after;
    take_all();
    most = private_kib();
    give_all();
    after = private_kib();
    CU_ASSERT_TRUE(most - before > 4000);
    CU_ASSERT_TRUE(after - before < 400);
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "large pieces alone, as large as asked for", only_large_pieces },
        { "what is none is known", strangers_are_known },
        { "no two are one, also when they come again", no_two_are_one },
        { "nothing of what was in them is left", nothing_is_left_in_them },
        { "little of what was given back is kept", little_is_kept },
        CU_TEST_INFO_NULL,
    };
    return check_run("blocks", tests);
}
