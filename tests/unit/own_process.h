/*
 * For suites whose tests need a process and a directory of their own: CHECK instead of CUnit's assertions, and behind each
 * function TEST(function), which makes run_function for the table.
 */
#ifndef MESHSHIM_TEST_OWN_PROCESS_H
#define MESHSHIM_TEST_OWN_PROCESS_H

#include <CUnit/Basic.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[64], dir[128]; /* the test's directory, and one in it that is not there yet */
static bool wrong;             /* a check has failed; the process ends with it */
static void (*own_process_end)(void);

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "\n    %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                    \
            wrong = true;                                                                                    \
        }                                                                                                    \
    } while (0)

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static inline void in_a_process(void (*test)(void))
{
    int status;
    pid_t pid;

    snprintf(top, sizeof top, "/tmp/meshshim-test.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(top));
    snprintf(dir, sizeof dir, "%s/run", top);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(60);
        test();
        if (own_process_end)
            own_process_end();
        exit(wrong);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define TEST(name)                                                                                           \
    static void run_##name(void)                                                                             \
    {                                                                                                        \
        in_a_process(name);                                                                                  \
    }

#endif
