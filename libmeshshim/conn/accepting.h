/* The listening side: which port, which policy, and an accepted connection's beginning. */
#ifndef MESHSHIM_ACCEPTING_H
#define MESHSHIM_ACCEPTING_H

#include <stdbool.h>

/* listen() has succeeded on `fd`. True where it is a TCP listener whose port is meshed. */
bool accepting_listens(int fd);
/*
 * accept() on `listener` has given `fd`. 0: the program may have it, pending or not ours; -1: it cannot be protected and must not be given
 * out.
 */
int accepting_take(int listener, int fd);

#endif
