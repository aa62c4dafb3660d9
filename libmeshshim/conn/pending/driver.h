/*
 * What the program has sent before the peer was proved must go out, whatever the program does next: wait where we cannot see, close, or end. So
 * must a handshake go on whose connection was sent to another process. And a connection that the program closes before it has said a word
 * was none the less made: the peer is to see that it was, and then its end, as on plain TCP.
 *
 * While there is such a connection a thread drives its handshake; where the program closes it, a descriptor of our own keeps it open
 * until that is done.
 */
#ifndef MESHSHIM_DRIVER_H
#define MESHSHIM_DRIVER_H

#include "conn/conn.h"

/* There is such a connection now. False: there is no thread for it, and nothing must be promised. */
bool driver_start(void);
/* One of them is settled, or has failed: its end need not wait any longer. */
void driver_wake(void);
/* The program is about to close `fd`, the last that leads to `conn`. */
void driver_keep(struct conn *conn, int fd);
/*
 * The process ends: until all early bytes are out and their handshakes done, or failed. Those of connections on which nothing was said get a
 * moment.
 */
void driver_finish(void);
/* In a forked child: what was sent early is the parent's to complete. */
void driver_after_fork(bool in_handler);

#endif
