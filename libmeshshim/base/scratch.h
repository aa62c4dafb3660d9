/*
 * A buffer for ciphertext on its way through, one a thread, made at its first use and given back when the thread ends.
 * The first few pages are what a small message touches. Larger ones, for much at once, are the process': a few,
 * without memory while nobody has needed them for a second or two.
 */
#ifndef MESHSHIM_SCRATCH_H
#define MESHSHIM_SCRATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In full records: four, and half a megabyte, which a core's own cache still holds (a MiB and more, in servers). */
enum { SCRATCH_RECORDS = 4, SCRATCH_LARGE_RECORDS = 32 };
enum { SCRATCH_BEFORE = 1024 }; /* bytes before its beginning that are one's own too */
#define SCRATCH_SIZE ((size_t)SCRATCH_RECORDS * (16384 + 22) + 1)

/* This thread's own. `busy`: a signal handler must find it taken. */
struct scratch_own {
    uint8_t *data; /* NULL: not made yet */
    volatile bool busy;
};
extern __thread struct scratch_own scratch_own;

/* Where that is not there, or not free. */
uint8_t *scratch_take_other(void);
void scratch_give_other(uint8_t *scratch);

/*
 * Its first record's body lies at the start of a cache line and not at the start of a page: to copy from the start of a page (of a file, say)
 * to 1 to 15 bytes behind the start of another is six times slower on some processors than anything else.
 *
 * NULL when out of memory. A second one is made where a signal handler interrupts the first one's user.
 */
static inline uint8_t *scratch_take(void)
{
    if (__builtin_expect(!scratch_own.data || scratch_own.busy, 0))
        return scratch_take_other();
    scratch_own.busy = true;
    atomic_signal_fence(memory_order_seq_cst); /* what is written to it stays behind that, for a handler */
    return scratch_own.data;
}

uint8_t *scratch_take_large(size_t *records);

/* One for `records` full records, or for as many as there is room to be had for: that is in *records then. */
static inline uint8_t *scratch_take_for(size_t *records)
{
    if (__builtin_expect(*records > SCRATCH_RECORDS, 0))
        return scratch_take_large(records);
    *records = SCRATCH_RECORDS;
    return scratch_take();
}

static inline void scratch_give(uint8_t *scratch)
{
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(scratch == scratch_own.data, 1))
        scratch_own.busy = false;
    else
        scratch_give_other(scratch);
}

/* Now and then, when a connection begins: of large ones that have long not been used, the memory goes back. `now_ms`: clock_ms. */
void scratch_sweep(int64_t now_ms);
/* What is in it is lost, and whoever reads or writes it, the kernel too, has a fault, until it is opened. */
void scratch_close(uint8_t *scratch);
void scratch_open(uint8_t *scratch);
/* For __attribute__((cleanup)). */
static inline void scratch_give_at(uint8_t **scratch)
{
    if (*scratch)
        scratch_give(*scratch);
}
#define SCRATCH_GUARD __attribute__((cleanup(scratch_give_at))) uint8_t *

#endif
