/*
 * A program's wire to itself: pika, paho and others wake their own threads through a loopback connection to a listener of their own. No
 * service names it, so it goes out unprotected, and its other end must not ask for a proof: both are this very process, as the
 * kernel's addresses tell, and nobody else can hold that pair of them.
 */
#ifndef MESHSHIM_SELFPAIR_H
#define MESHSHIM_SELFPAIR_H

#include <stdbool.h>
#include <sys/socket.h>

/* Before an unprotected connect of `fd`. */
void selfpair_note(int fd, const struct sockaddr *address);
/* Is the other end of an accepted connection a descriptor that was noted? */
bool selfpair_is(int fd);

#endif
