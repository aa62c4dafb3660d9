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

struct conn;

/*
 * In a new image, before the program runs: all that it has inherited. True where one of them is to be protected. `begin` is called before
 * one is taken up, perhaps more than once: counting must have begun.
 */
bool adopt_inherited(void (*begin)(void));
/*
 * A socket that this process knows unconnected: another one that has it too may have connected it since. What `fd` leads to then, or NULL:
 * it has not, or not to a meshed service.
 */
struct conn *adopt_connected(struct conn *conn, int fd, void (*begin)(void));
/* In a forked child. */
void adopt_after_fork(void);
/* `fd` has come in a message, which was only looked at where `peeked`: it will come again. */
void adopt_received(int fd, bool peeked, void (*begin)(void));

#endif
