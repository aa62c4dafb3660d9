/*
 * A buffer for ciphertext on its way through, one a thread, made at its first use and given back when the thread ends.
 * The first few pages are what a small message touches.
 */
#ifndef MESHSHIM_SCRATCH_H
#define MESHSHIM_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

/* Four full records: a system call's worth. */
#define SCRATCH_RECORDS 4
#define SCRATCH_SIZE    (SCRATCH_RECORDS * (16384 + 22) + 1)

/* NULL when out of memory. A second one is made where a signal handler interrupts the first one's user. */
uint8_t *scratch_take(void);
void scratch_give(uint8_t *scratch);
/* For __attribute__((cleanup)). */
static inline void scratch_give_at(uint8_t **scratch)
{
    if (*scratch)
        scratch_give(*scratch);
}
#define SCRATCH_GUARD __attribute__((cleanup(scratch_give_at))) uint8_t *

#endif
