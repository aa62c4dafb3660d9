/*
 * Allocation from the family's memory. Chunks carry their own lock and free lists: whoever drops the last reference gives the
 * memory back, whichever process that is. A chunk is never unmapped, and a piece keeps its size class for ever.
 */
#ifndef MESHSHIM_ARENA_H
#define MESHSHIM_ARENA_H

#include <stddef.h>
#include <stdint.h>

/* What another process may change at any moment, read once: what was checked is what is used. */
#define ARENA_ONCE(word) (*(const volatile __typeof__(word) *)&(word))

/* A piece by its place in the family's memory, the same in every process; 0: none. */
typedef uint32_t arena_ref;

/* Zeroed memory of at least `size` bytes (at most 128 KiB), aligned to 64; NULL when there is none. */
void *arena_alloc(size_t size);
/* `size` as given to arena_alloc; wipes it. NULL is allowed. */
void arena_free(void *memory, size_t size);

arena_ref arena_ref_of(const void *memory);
/*
 * A piece of `size` bytes; NULL for 0, and for what cannot be one (or cannot be mapped): other processes may write where references lie, so
 * a wrong one leads to some other place in this memory, never beside it.
 */
void *arena_at(arena_ref ref, size_t size);
/* The same, allocated where there is none. Whoever needs it twice keeps the pointer: `*ref` may have changed. */
void *arena_grant(arena_ref *ref, size_t size);
/* Frees what `*ref` refers to, and forgets it. */
static inline void arena_drop(arena_ref *ref, size_t size)
{
    arena_ref seen = ARENA_ONCE(*ref);
    if (seen)
        arena_free(arena_at(seen, size), size);
    *ref = 0;
}

#endif
