/* See scratch.h. Mapped rather than allocated: a signal handler may be what needs it. */
#include "base/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "base/banned.h"

enum { LEAD = SCRATCH_BEFORE + 64 - 5 }; /* see scratch.h; 5: a record's header */
enum { SMALL = LEAD + SCRATCH_SIZE, LARGE = LEAD + SCRATCH_LARGE_RECORDS * (16384 + 22), LARGE_ONES = 4 };

__thread struct scratch_own scratch_own;
static pthread_key_t at_thread_end;
static enum { NO_KEY, MAKING_KEY, HAVE_KEY, NONE_TO_BE_HAD } _Atomic key_state;

static uint8_t *map_one(size_t size)
{
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? NULL : (uint8_t *)data + LEAD;
}

static void unmap_small(uint8_t *scratch)
{
    munmap(scratch - LEAD, SMALL);
}

static void thread_ended(void *data)
{
    scratch_own.data = NULL;
    unmap_small(data);
}

/*
 * False while somebody else is at it. Not pthread_once: what is at it may be the very thread that this signal handler has
 * interrupted, and would be waited for without end.
 */
static bool made_key(void)
{
    int none = NO_KEY;
    if (atomic_compare_exchange_strong(&key_state, &none, MAKING_KEY))
        atomic_store(&key_state,
                     pthread_key_create(&at_thread_end, thread_ended) == 0 ? HAVE_KEY : NONE_TO_BE_HAD);
    return atomic_load(&key_state) != MAKING_KEY;
}

/* `busy` is set: a signal handler comes by another one. */
static void make_own(void)
{
    if (!made_key())
        return;
    scratch_own.data = map_one(SMALL);
    if (scratch_own.data && atomic_load(&key_state) == HAVE_KEY)
        pthread_setspecific(at_thread_end, scratch_own.data);
}

uint8_t *scratch_take_other(void)
{
    if (scratch_own.busy)
        return map_one(SMALL);
    scratch_own.busy = true;
    if (!scratch_own.data)
        make_own();
    if (scratch_own.data)
        return scratch_own.data;
    scratch_own.busy = false;
    return map_one(SMALL);
}

/* A forked child finds those taken that other threads had: it has its own small one. */
static struct {
    _Atomic bool taken;
    uint8_t *_Atomic data; /* once there is one, its place is for ever */
    uint8_t sweeps;        /* since its last use; whoever has taken it may look */
} large[LARGE_ONES];

enum { SWEEP_MS = 1000, UNUSED = 2 }; /* by the second sweep in a row that finds it unused, its memory goes */
static _Atomic int64_t swept_ms;

static uint8_t *take_large(void)
{
    for (int i = 0; i < LARGE_ONES; i++) {
        uint8_t *data;
        if (atomic_exchange_explicit(&large[i].taken, true, memory_order_acquire))
            continue;
        data = atomic_load_explicit(&large[i].data, memory_order_relaxed);
        if (!data)
            data = map_one(LARGE);
        atomic_store_explicit(&large[i].data, data, memory_order_relaxed);
        large[i].sweeps = 0;
        if (data)
            return data;
        atomic_store_explicit(&large[i].taken, false, memory_order_release);
        break;
    }
    return NULL;
}

/* Its number, or -1: it is a small one. */
static int which_large(const uint8_t *scratch)
{
    for (int i = 0; i < LARGE_ONES; i++)
        if (atomic_load_explicit(&large[i].data, memory_order_relaxed) == scratch)
            return i;
    return -1;
}

void scratch_sweep(int64_t now_ms)
{
    int64_t last = atomic_load_explicit(&swept_ms, memory_order_relaxed);
    if (now_ms - last < SWEEP_MS || !atomic_compare_exchange_strong(&swept_ms, &last, now_ms))
        return;
    for (int i = 0; i < LARGE_ONES; i++) {
        uint8_t *data = atomic_load_explicit(&large[i].data, memory_order_relaxed);
        if (!data || atomic_exchange_explicit(&large[i].taken, true, memory_order_acquire))
            continue;
        if (large[i].sweeps < UNUSED && ++large[i].sweeps == UNUSED)
            madvise(data - LEAD, LARGE, MADV_DONTNEED);
        atomic_store_explicit(&large[i].taken, false, memory_order_release);
    }
}

uint8_t *scratch_take_large(size_t *records)
{
    uint8_t *scratch = take_large();
    *records = scratch ? SCRATCH_LARGE_RECORDS : SCRATCH_RECORDS;
    return scratch ? scratch : scratch_take();
}

void scratch_give_other(uint8_t *scratch)
{
    int i = which_large(scratch);
    if (i >= 0)
        atomic_store_explicit(&large[i].taken, false, memory_order_release);
    else
        unmap_small(scratch);
}

/* (By mmap, which a program that has locked itself in may still call; mprotect it may not.) */
static void map_anew(uint8_t *scratch, int protection)
{
    size_t size = which_large(scratch) >= 0 ? LARGE : SMALL;
    int saved = errno;
    mmap(scratch - LEAD, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = saved;
}

void scratch_close(uint8_t *scratch)
{
    map_anew(scratch, PROT_NONE);
}

void scratch_open(uint8_t *scratch)
{
    map_anew(scratch, PROT_READ | PROT_WRITE);
}
