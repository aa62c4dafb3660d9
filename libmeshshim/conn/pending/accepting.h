/* The listening side: which port, which policy, and an accepted connection's beginning. */
#ifndef MESHSHIM_ACCEPTING_H
#define MESHSHIM_ACCEPTING_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"

/* listen() has succeeded on `fd`. True where it is a TCP listener whose port is meshed. */
bool accepting_listens(int fd);
/* Is what `listener` accepts meshed, or to be refused? */
bool accepting_concerns(int listener);
/*
 * accept() on `listener` has given `fd`. 0: the program may have it, pending or not ours; -1: it cannot be protected and must not be given
 * out.
 */
int accepting_take(int listener, int fd);
/* The same by the local port as accepting_port gives it, of a connection that another program accepted. */
int accepting_take_port(int fd, int port);
/* A connection of the family whose handshake is to be made, or is being made by another process. -1 as above. */
int accepting_resume(struct conn *conn, int fd);
/* The local port of a TCP socket, 0: it is none; -1: the kernel does not say, so it may be one. */
int accepting_port(int fd);

#endif
