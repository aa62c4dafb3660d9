/* Files are read whole, up to a bound, and nothing of them stays behind where they were on their way. */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "check.h"

enum { LONG = 50000 };

static char path[] = "/tmp/meshshim-file.XXXXXX";
static const char secret[] = "nobody else is to see this";

/* ---- what is given back to the heap is looked at first ---- */

static bool looking;
static int left_behind;

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* which have allocators of their own */
void __libc_free(void *memory);

void free(void *memory)
{
    if (looking && memory && malloc_usable_size(memory) >= sizeof secret &&
        memcmp(memory, secret, sizeof secret - 1) == 0)
        left_behind++;
    __libc_free(memory);
}

/* One that always moves. */
void *realloc(void *memory, size_t size)
{
    size_t had = memory ? malloc_usable_size(memory) : 0;
    void *fresh = malloc(size);
    if (fresh && had)
        memcpy(fresh, memory, had < size ? had : size);
    free(memory);
    return fresh;
}
#endif

static void write_file(size_t n)
{
    FILE *file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(secret, 1, sizeof secret - 1, file), sizeof secret - 1);
    for (size_t i = sizeof secret - 1; i < n; i++)
        CU_ASSERT_EQUAL(fputc('a' + (int)(i % 26), file), 'a' + (int)(i % 26));
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void whole_and_nothing_left(void)
{
    static const size_t lengths[] = { 100, 4094, 4095, 4096, LONG };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char *data;
        size_t length;
        write_file(lengths[i]);
        looking = true;
        left_behind = 0;
        CU_ASSERT_EQUAL_FATAL(file_read(path, LONG, &data, &length), 0);
        looking = false;
        CU_ASSERT_EQUAL(left_behind, 0);
        CU_ASSERT_EQUAL(length, lengths[i]);
        CU_ASSERT_EQUAL(memcmp(data, secret, sizeof secret - 1), 0);
        CU_ASSERT_EQUAL(data[length], '\0');
        CU_ASSERT_EQUAL(data[length - 1], 'a' + (int)((length - 1) % 26));
        free(data);
    }
}

static void too_long_and_nothing_left(void)
{
    char *data;
    size_t length;
    write_file(LONG);
    looking = true;
    left_behind = 0;
    CU_ASSERT_EQUAL(file_read(path, LONG - 1, &data, &length), EFBIG);
    looking = false;
    CU_ASSERT_EQUAL(left_behind, 0);
    CU_ASSERT_EQUAL(file_read("/proc/nothing", LONG, &data, &length), ENOENT);
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "whole, and nothing is left behind", whole_and_nothing_left },
        { "too long, and nothing is left behind", too_long_and_nothing_left },
        CU_TEST_INFO_NULL,
    };
    int fd = mkstemp(path), failed;
    if (fd < 0)
        return 1;
    close(fd);
    failed = check_run("file", tests);
    unlink(path);
    return failed;
}
