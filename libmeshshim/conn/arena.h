/*
 * Memory shared across fork: what belongs to an open file description, as the kernel's own socket state does.
 *
 * Chunks are anonymous shared mappings, so a pointer into one means the same in a parent and its forked children. Each chunk carries
 * its own lock and free lists: whoever drops the last reference gives the memory back, whichever process that is.
 */
#ifndef MESHSHIM_ARENA_H
#define MESHSHIM_ARENA_H

#include <stddef.h>

/* Zeroed memory of at least `size` bytes (at most 128 KiB), aligned to 64; NULL when there is none. */
void *arena_alloc(size_t size);
/* `size` as given to arena_alloc; wipes it. NULL is allowed. */
void arena_free(void *memory, size_t size);
/* In a forked child, before anything else of this module. */
void arena_after_fork(void);

#endif
