/* Our own descriptors: high, close-on-exec, and shielded from a program that closes everything. */
#ifndef MESHSHIM_OWNFD_H
#define MESHSHIM_OWNFD_H

#include <stdbool.h>

/* So many numbers, at most, beyond the program's limit. */
enum { OWNFD_MOST = 128 };

/*
 * Makes one by `make`, which gives a descriptor or minus an errno, and keeps it as below. Where the program has used up its numbers, it gets
 * one beyond the limit, if that may be raised for a moment.
 */
int ownfd_make(int (*make)(void));
/* Moves `fd` out of the program's way and remembers it; returns the new number (or fd itself where there is no room). */
int ownfd_keep(int fd);
/* Remembers one that stays where it is. False: there are too many, it is not ours. */
bool ownfd_adopt(int fd);
/* A duplicate of the program's `fd`, kept as above, also where the program has used up its numbers; or -1. */
int ownfd_copy(int fd);
/* Closes one of ours. */
void ownfd_drop(int fd);
bool ownfd_is(int fd);
/* The lowest of ours that is at least `from`, or -1: for calls that close ranges. */
int ownfd_next(int from);

#endif
