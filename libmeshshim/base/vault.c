/* See vault.h. Spans that hold pieces of one size each: a connection's keys, a little more than a kilobyte, waste little. */
#include "base/vault.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/lock.h"
#include "base/process.h"

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define WATCHED RUNNING_ON_VALGRIND
#else
#define WATCHED 0
#endif

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* Linux 5.18 */
#endif

enum { LINE = 64, LEAST = 256, SIZES = VAULT_MOST / LINE + 1 };
enum { SPAN = 16 * 1024, RANGE = 64, RANGES = 256, STEP = 16, IDLE_MOST = 8 };

struct span {
    uint64_t free; /* a bit for each piece */
    uint16_t size; /* of the pieces; 0: of none */
    bool warm;     /* of none, with the memory of those that it had */
};

static struct span spans[RANGES * RANGE];
static uint8_t
    *ranges[RANGES]; /* RANGE spans each: addresses that are touched as they are needed, and never unmapped */
static _Atomic uint32_t range_count;
static uint32_t first[SIZES]; /* of each size: no span before this one has room */
static uint32_t idle;         /* spans that are warm */
static uint32_t lock_end;     /* spans from here on are not locked */
static struct lock lock;

static size_t rounded(size_t size)
{
    return size < LEAST ? LEAST : (size + LINE - 1) / LINE * LINE;
}

static uint64_t all_free(uint16_t size)
{
    unsigned n = SPAN / size;
    return n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static uint8_t *place_of(uint32_t index)
{
    return ranges[index / RANGE] + (size_t)(index % RANGE) * SPAN;
}

static bool map_more(void)
{
    uint32_t n = atomic_load_explicit(&range_count, memory_order_relaxed);
    void *at = n < RANGES ? mmap(NULL, (size_t)RANGE * SPAN, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                          : MAP_FAILED;
    if (at == MAP_FAILED)
        return false;
    madvise(at, (size_t)RANGE * SPAN, MADV_DONTDUMP);
    ranges[n] = at;
    atomic_store_explicit(&range_count, n + 1, memory_order_release);
    return true;
}

/* In steps, up to an eighth of what may be locked: the rest is the program's. Pages that are never touched are not made for it. */
static void lock_up_to(uint32_t index)
{
    struct rlimit limit;
    while (lock_end <= index && !process_is_locked_in()) {
        bool allowed =
            getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && (size_t)(lock_end + STEP) * SPAN <= limit.rlim_cur / 8;
        if (!allowed || libc.syscall(SYS_mlock2, (long)place_of(lock_end), (long)STEP * SPAN, MLOCK_ONFAULT,
                                     0, 0, 0) != 0)
            return;
        lock_end += STEP;
    }
}

/* The first span of that size with room, or of none; false: there is none. */
static bool find_room(uint16_t size, uint32_t *index)
{
    uint32_t *at = &first[size / LINE];
    uint32_t end = atomic_load_explicit(&range_count, memory_order_relaxed) * RANGE;
    while (*at < end && spans[*at].size != 0 && (spans[*at].size != size || spans[*at].free == 0))
        ++*at;
    *index = *at;
    return *at < end || map_more();
}

static void *take_from(uint32_t index, uint16_t size)
{
    struct span *span = &spans[index];
    int bit;
    if (span->size == 0) {
        idle -= span->warm;
        *span = (struct span){ .size = size, .free = all_free(size) };
        lock_up_to(index);
    }
    bit = __builtin_ctzll(span->free);
    span->free &= span->free - 1;
    return place_of(index) + (size_t)bit * size;
}

/* Tools that look for leaks and overflows know the heap alone: there, it is that (WATCHED). */
void *vault_take(size_t size)
{
    uint16_t whole = (uint16_t)rounded(size);
    uint32_t index;
    void *piece = NULL;
    if (size <= VAULT_MOST && !WATCHED && lock_take(&lock) != LOCK_MINE) {
        if (find_room(whole, &index))
            piece = take_from(index, whole);
        lock_release(&lock);
    }
    if (!piece && (piece = aligned_alloc(LINE, (size + LINE - 1) / LINE * LINE)))
        memset(piece, 0, size);
    return piece;
}

/* The span that `piece` lies in, or one beyond them all. */
static uint32_t span_of(const void *piece)
{
    uint32_t n = atomic_load_explicit(&range_count, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        uintptr_t offset = (uintptr_t)piece - (uintptr_t)ranges[i];
        if (offset < (size_t)RANGE * SPAN)
            return i * RANGE + (uint32_t)(offset / SPAN);
    }
    return RANGES * RANGE;
}

size_t vault_size(const void *piece)
{
    uint32_t index = span_of(piece);
    return index < RANGES * RANGE ? spans[index].size : 0;
}

/* It may serve any size from here on. Of some the memory is kept for the next connection. */
static void empty(uint32_t index)
{
    spans[index].size = 0;
    spans[index].warm = idle < IDLE_MOST || (madvise(place_of(index), SPAN, MADV_DONTNEED_LOCKED) != 0 &&
                                             madvise(place_of(index), SPAN, MADV_DONTNEED) != 0);
    idle += spans[index].warm;
    for (size_t i = 0; i < SIZES; i++)
        if (index < first[i])
            first[i] = index;
}

static void give_to(uint32_t index, const uint8_t *piece)
{
    struct span *span = &spans[index];
    uint32_t *at = &first[span->size / LINE];
    span->free |= UINT64_C(1) << ((size_t)(piece - place_of(index)) / span->size);
    if (index < *at)
        *at = index;
    if (span->free == all_free(span->size))
        empty(index);
}

void vault_give(void *piece, size_t size)
{
    uint32_t index = span_of(piece);
    if (!piece)
        return;
    explicit_bzero(piece, size);
    if (index == RANGES * RANGE) {
        free(piece);
    } else if (lock_take(&lock) != LOCK_MINE) {
        give_to(index, piece);
        lock_release(&lock);
    }
}

void vault_after_fork(void)
{
    lock = (struct lock){ 0 };
    lock_end = 0; /* a child does not inherit that pages are locked */
}
