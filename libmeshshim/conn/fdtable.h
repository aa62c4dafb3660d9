/* Which descriptor leads to which connection. One load for a descriptor that is not ours. */
#ifndef MESHSHIM_FDTABLE_H
#define MESHSHIM_FDTABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

/* As many as we follow; a meshed connection beyond is refused (EMFILE), not passed in the clear. */
#define FDTABLE_SIZE (1 << 20)

extern struct conn *_Atomic *fdtable;
extern unsigned fdtable_size; /* 0 until fdtable_init */

/* Reserves address space; pages that are only looked at cost no memory. */
bool fdtable_init(void);

/* The connection that `fd` leads to, or led to until a close that is not yet over. */
static inline struct conn *fdtable_get(int fd)
{
    if ((unsigned)fd >= fdtable_size)
        return NULL;
    return (struct conn *)((uintptr_t)atomic_load_explicit(&fdtable[fd], memory_order_acquire) &
                           ~(uintptr_t)1);
}

/* Does it lead there still? Not while it is being closed: its bytes are refused then, not passed in the clear. */
static inline bool fdtable_is(int fd, const struct conn *conn)
{
    return (unsigned)fd < fdtable_size && atomic_load_explicit(&fdtable[fd], memory_order_acquire) == conn;
}

/* The close begins: true for the one caller who may go on with it. */
bool fdtable_leave(int fd, struct conn *conn);

/* The close is over: true for the one caller who ended it. */
bool fdtable_left(int fd, struct conn *conn);

/* False where fd is beyond the table. */
bool fdtable_set(int fd, struct conn *conn);
/* Clears it if it still leads to `conn`; true where this call did. */
bool fdtable_clear(int fd, struct conn *conn);
/* One past the highest descriptor that was ever set. */
int fdtable_end(void);

#endif
