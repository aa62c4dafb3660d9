/*
 * Connections that this process did not open: inherited over exec, or received in a message (SCM_RIGHTS).
 *
 * One that the family knows goes on where the others left it. Of any other, its addresses and the configuration decide: a connection that
 * should be protected begins its handshake, as if just accepted, so one that is in the middle of something fails instead of going on in
 * the clear.
 */
#ifndef MESHSHIM_ADOPT_H
#define MESHSHIM_ADOPT_H

#include <stdbool.h>

/*
 * In a new image, before the program runs: all that it has inherited. True where one of them is to be protected. `begin` is called before
 * one is taken up, perhaps more than once: counting must have begun.
 */
bool adopt_inherited(void (*begin)(void));
/* `fd` has come in a message, which was only looked at where `peeked`: it will come again. */
void adopt_received(int fd, bool peeked, void (*begin)(void));

#endif
