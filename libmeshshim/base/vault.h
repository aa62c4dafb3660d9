/*
 * Small pieces of memory for keys: in no core file, locked as far as that leaves the program enough of its limit, wiped when they are given back.
 * Where there is no room for one it comes from the heap, for a connection is worth more.
 */
#ifndef MESHSHIM_VAULT_H
#define MESHSHIM_VAULT_H

#include <stddef.h>

enum { VAULT_MOST = 4096 };

/* Zeroed, aligned to 64; NULL when out of memory. */
void *vault_take(size_t size);
/* `size` as given to vault_take; wipes it. NULL is allowed. */
void vault_give(void *piece, size_t size);
/* The bytes at `piece`, where it is one and not of the heap; else 0. */
size_t vault_size(const void *piece);
/* In a forked child, first. */
void vault_after_fork(void);

#endif
