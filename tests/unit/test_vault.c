/* The vault: what is in it is in no core file and is wiped, no two pieces are the same, and many that were given back leave no memory behind. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/vault.h"
#include "check.h"

enum { MOST = 3000, KEYS = 1216 };

static uint8_t *taken[MOST];

static size_t size_of(int i)
{
    return i % 5 == 4 ? (size_t)(1 + i % VAULT_MOST) : KEYS;
}

static bool all_are(const uint8_t *bytes, size_t n, uint8_t value)
{
    while (n > 0 && bytes[n - 1] == value)
        n--;
    return n == 0;
}

static void pieces_are_zero_and_apart(void)
{
    for (int i = 0; i < MOST; i++) {
        taken[i] = vault_take(size_of(i));
        CU_ASSERT_PTR_NOT_NULL_FATAL(taken[i]);
        CU_ASSERT_EQUAL((uintptr_t)taken[i] % 64, 0);
        CU_ASSERT_TRUE(all_are(taken[i], size_of(i), 0));
        memset(taken[i], 1 + i % 250, size_of(i));
    }
    for (int i = 0; i < MOST; i++)
        CU_ASSERT_TRUE(all_are(taken[i], size_of(i), (uint8_t)(1 + i % 250)));
    for (int i = 0; i < MOST; i++)
        vault_give(taken[(i * 7) % MOST], size_of((i * 7) % MOST));
}

static void strangers_and_large_ones_are_of_the_heap(void)
{
    uint8_t *program = malloc(100), *large = vault_take(VAULT_MOST + 1);
    CU_ASSERT_EQUAL(vault_size(NULL), 0);
    CU_ASSERT_EQUAL(vault_size(program), 0);
    CU_ASSERT_EQUAL(vault_size(taken), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(large);
    CU_ASSERT_EQUAL(vault_size(large), 0);
    CU_ASSERT_TRUE(all_are(large, VAULT_MOST + 1, 0));
    vault_give(large, VAULT_MOST + 1);
    vault_give(NULL, 1);
    free(program);
}

#ifndef __SANITIZE_ADDRESS__
/* Has the mapping that `at` lies in that one of its VmFlags? */
static bool has_flag(const void *at, const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    unsigned long from, to;
    bool here = false, has = false;
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (uintptr_t)at >= from && (uintptr_t)at < to;
        if (here && strncmp(line, "VmFlags:", 8) == 0)
            has = strstr(line, flag) != NULL;
    }
    if (maps)
        fclose(maps);
    return has;
}

static void they_are_not_dumped_but_locked(void)
{
    uint8_t *piece = vault_take(KEYS);
    struct rlimit limit;
    CU_ASSERT_TRUE(vault_size(piece) >= KEYS);
    CU_ASSERT_TRUE(has_flag(piece, " dd"));
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur >= 4 << 20)
        CU_ASSERT_TRUE(has_flag(piece, " lo"));
    vault_give(piece, KEYS);
}

static void they_are_wiped(void)
{
    uint8_t *other = vault_take(KEYS), *piece = vault_take(KEYS);
    memset(piece, 7, KEYS);
    vault_give(piece, KEYS);
    CU_ASSERT_TRUE(all_are(piece, KEYS, 0)); /* its memory is there still: `other` is beside it */
    vault_give(other, KEYS);
}

static size_t resident(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long size = 0, pages = 0;
    CU_ASSERT_EQUAL(fscanf(statm, "%lu %lu", &size, &pages), 2);
    fclose(statm);
    return pages * 4096;
}

static void many_leave_no_memory_behind(void)
{
    uint8_t **many = calloc(20 * MOST, sizeof *many);
    size_t before, full;
    vault_give(vault_take(KEYS), KEYS);
    before = resident();
    for (int i = 0; i < 20 * MOST; i++)
        memset(many[i] = vault_take(KEYS), 1, KEYS);
    full = resident();
    CU_ASSERT_TRUE(full > before + (size_t)15 * MOST * KEYS);
    for (int i = 0; i < 20 * MOST; i++)
        vault_give(many[i], KEYS);
    CU_ASSERT_TRUE(resident() < before + (full - before) / 4);
    free(many);
}
#endif

int main(void)
{
    CU_TestInfo tests[] = {
        { "pieces are zero and apart", pieces_are_zero_and_apart },
        { "strangers, and large ones, are of the heap", strangers_and_large_ones_are_of_the_heap },
#ifndef __SANITIZE_ADDRESS__
        { "they are not dumped, but locked", they_are_not_dumped_but_locked },
        { "they are wiped", they_are_wiped },
        { "many leave no memory behind", many_leave_no_memory_behind },
#endif
        CU_TEST_INFO_NULL,
    };
    return check_run("vault", tests);
}
