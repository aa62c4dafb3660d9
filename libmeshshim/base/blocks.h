/*
 * Large pieces of memory that come and go together: what handshakes need while they are under way. From the program's heap they would stay
 * in it, for a hundred that begin at once leave holes that nothing fills. Here a few that were given back are kept
 * for the next one, wiped (a quarter of a microsecond); of the rest only addresses are.
 */
#ifndef MESHSHIM_BLOCKS_H
#define MESHSHIM_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

/* What is worth it. */
enum { BLOCKS_LEAST = 4096 };

/* Of at least `size` bytes, aligned to a page; NULL where that is no size for a block, or there is none to be had. */
void *blocks_take(size_t size);
/* The bytes at `block`, where that is one that was taken; else 0. NULL is allowed. */
size_t blocks_size(const void *block);
void blocks_give(void *block);
/* In a forked child, first: the thread that was at it is not here. */
void blocks_after_fork(void);

#endif
