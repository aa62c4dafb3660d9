/* Scratch buffers: how much room, where it begins, that the few large ones come back, and that a signal handler does not wait for whom it interrupted. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>
#include <string.h>
#include <unistd.h>

#include "base/scratch.h"
#include "check.h"

static volatile int interrupted;
static volatile bool to_interrupt;

static void take_in_handler(int number)
{
    uint8_t *scratch = scratch_take();
    (void)number;
    memset(scratch, 1, SCRATCH_SIZE);
    scratch_give(scratch);
    interrupted++;
}

/* In front of libc's: a signal comes while the first scratch buffer is made. (The thread sanitizer calls it before it can observe.) */
__attribute__((no_sanitize("thread"))) int pthread_key_create(pthread_key_t *key, void (*at_end)(void *))
{
    int (*real)(pthread_key_t *, void (*)(void *)) =
        (int (*)(pthread_key_t *, void (*)(void *)))dlsym(RTLD_NEXT, "pthread_key_create");
    if (to_interrupt)
        raise(SIGUSR1);
    return real(key, at_end);
}

/* The first test: only then is there no key yet. A deadlock is ended by the alarm. */
static void a_signal_handler_may_come_first(void)
{
    uint8_t *scratch;
    signal(SIGUSR1, take_in_handler);
    alarm(10);
    to_interrupt = true;
    scratch = scratch_take();
    alarm(0);
    to_interrupt = false;
    signal(SIGUSR1, SIG_DFL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(scratch);
    CU_ASSERT_EQUAL(interrupted, 1);
    scratch_give(scratch);
    CU_ASSERT_PTR_EQUAL(scratch_take(), scratch); /* it is this thread's */
    scratch_give(scratch);
}

enum { HEADER = 5, FULL = 16384 + 22, MOST = 64 };

/* What a file's page is copied to: on some processors slow in the first bytes of a page. */
static bool body_is_well_placed(const uint8_t *scratch)
{
    uintptr_t body = (uintptr_t)scratch + HEADER;
    return body % 64 == 0 && body % 4096 != 0;
}

static void a_body_begins_in_the_right_place(void)
{
    size_t records = SCRATCH_LARGE_RECORDS;
    uint8_t *small = scratch_take(), *large = scratch_take_for(&records);
    CU_ASSERT_TRUE(body_is_well_placed(small));
    CU_ASSERT_TRUE(body_is_well_placed(large));
    scratch_give(large);
    scratch_give(small);
}

static void there_is_the_room_that_is_said(void)
{
    for (size_t wanted = 1; wanted < 100; wanted += 3) {
        size_t records = wanted;
        uint8_t *scratch = scratch_take_for(&records);
        CU_ASSERT_EQUAL(records, wanted > SCRATCH_RECORDS ? SCRATCH_LARGE_RECORDS : SCRATCH_RECORDS);
        memset(scratch, 1, records * FULL);
        scratch_give(scratch);
    }
}

/* Each of them another one, the small ones too. */
static void many_at_once(void)
{
    uint8_t *taken[MOST];
    size_t larges = 0, again = 0;
    for (size_t i = 0; i < MOST; i++) {
        size_t records = SCRATCH_LARGE_RECORDS;
        taken[i] = scratch_take_for(&records);
        CU_ASSERT_PTR_NOT_NULL_FATAL(taken[i]);
        memset(taken[i], (int)i, records * FULL);
        larges += records == SCRATCH_LARGE_RECORDS;
    }
    for (size_t i = 0; i < MOST; i++)
        CU_ASSERT_EQUAL(taken[i][SCRATCH_SIZE - 2], i);
    CU_ASSERT_TRUE(larges > 0 && larges < MOST); /* a process does not keep one for each thread */
    for (size_t i = 0; i < MOST; i++)
        scratch_give(taken[i]);
    for (size_t i = 0; i < MOST; i++) {
        size_t records = SCRATCH_LARGE_RECORDS;
        taken[i] = scratch_take_for(&records);
        again += records == SCRATCH_LARGE_RECORDS;
    }
    CU_ASSERT_EQUAL(again, larges);
    for (size_t i = 0; i < MOST; i++)
        scratch_give(taken[i]);
}

static bool is_zero(const uint8_t *memory, size_t length)
{
    return memory[0] == 0 && memcmp(memory, memory + 1, length - 1) == 0;
}

/* Of one that was filled: is its memory still there after sweeps at those times? */
static bool lasts(int64_t first, int64_t second, bool used_between)
{
    size_t records = SCRATCH_LARGE_RECORDS;
    uint8_t *scratch = scratch_take_for(&records), *same;
    bool zero;
    memset(scratch, 1, SCRATCH_LARGE_RECORDS * FULL);
    scratch_give(scratch);
    scratch_sweep(first);
    if (used_between)
        scratch_give(scratch_take_for(&records));
    scratch_sweep(second);
    same = scratch_take_for(&records);
    CU_ASSERT_PTR_EQUAL(same, scratch);
    zero = is_zero(same + 8192, SCRATCH_LARGE_RECORDS * FULL - 8192); /* the first page is not its alone */
    scratch_give(same);
    return !zero;
}

static void what_is_not_used_goes_back(void)
{
    const int64_t now = 1000000;
    CU_ASSERT_TRUE(lasts(now, now + 999, false)); /* one sweep */
    CU_ASSERT_FALSE(lasts(now + 2000, now + 3000, false));
    CU_ASSERT_TRUE(lasts(now + 4000, now + 5000, true));
}

static void one_in_use_stays(void)
{
    size_t records = SCRATCH_LARGE_RECORDS;
    uint8_t *scratch = scratch_take_for(&records);
    memset(scratch, 1, SCRATCH_LARGE_RECORDS * FULL);
    for (int64_t now = 2000000; now < 2010000; now += 1000)
        scratch_sweep(now);
    CU_ASSERT_EQUAL(scratch[8192], 1);
    CU_ASSERT_EQUAL(scratch[SCRATCH_LARGE_RECORDS * FULL - 1], 1);
    scratch_give(scratch);
}

static void *thread(void *seen)
{
    uint8_t *scratch = scratch_take();
    *(uint8_t **)seen = scratch;
    memset(scratch, 1, SCRATCH_SIZE);
    scratch_give(scratch);
    return NULL;
}

static void a_thread_has_its_own(void)
{
    uint8_t *mine = scratch_take(), *theirs = mine;
    pthread_t id;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&id, NULL, thread, &theirs), 0);
    pthread_join(id, NULL);
    CU_ASSERT_PTR_NOT_EQUAL(mine, theirs);
    scratch_give(mine);
    CU_ASSERT_PTR_EQUAL(scratch_take(), mine);
    scratch_give(mine);
}

/* Which the kernel finds out when it is to read it. */
static void one_that_is_closed_is_nobodys(void)
{
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    for (size_t n = SCRATCH_RECORDS; n <= SCRATCH_LARGE_RECORDS;
         n += SCRATCH_LARGE_RECORDS - SCRATCH_RECORDS) {
        size_t records = n;
        uint8_t *scratch = scratch_take_for(&records);
        CU_ASSERT_EQUAL(records, n);
        memset(scratch, 1, records * FULL);
        scratch_close(scratch);
        CU_ASSERT_EQUAL(write(ends[1], scratch, 1), -1);
        CU_ASSERT_EQUAL(write(ends[1], scratch + records * FULL - 1, 1), -1);
        scratch_open(scratch);
        CU_ASSERT_EQUAL(scratch[0], 0);
        memset(scratch, 1, records * FULL);
        scratch_give(scratch);
        CU_ASSERT_PTR_EQUAL(scratch_take_for(&records), scratch);
        scratch_give(scratch);
    }
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "a signal handler may come while the first is made", a_signal_handler_may_come_first },
        { "the body of a first record begins in the right place", a_body_begins_in_the_right_place },
        { "there is as much room as is said", there_is_the_room_that_is_said },
        { "many at once, and again", many_at_once },
        { "what is not used goes back", what_is_not_used_goes_back },
        { "one in use stays", one_in_use_stays },
        { "a thread has its own", a_thread_has_its_own },
        { "one that is closed is nobody's, until it is opened", one_that_is_closed_is_nobodys },
        CU_TEST_INFO_NULL,
    };
    return check_run("scratch buffers", tests);
}
