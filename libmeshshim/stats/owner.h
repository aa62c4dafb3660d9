/*
 * A process in one word: its id, when it started, and a hash of its pid namespace. So a record tells whether
 * its owner still lives, and an id that was given out again is somebody else.
 */
#ifndef MESHSHIM_OWNER_H
#define MESHSHIM_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/* Never 0. Reads /proc; without it the id alone counts. */
uint64_t owner_self(void);
/* No process has this id any more: one system call. Of a process in another pid namespace nothing is known:
 * false. */
bool owner_absent(uint64_t owner, uint64_t self);
/* The same, or the id is another process's by now, or it is dead and not yet waited for. */
bool owner_gone(uint64_t owner, uint64_t self);

#endif
