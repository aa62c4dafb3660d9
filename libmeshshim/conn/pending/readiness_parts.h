/* What registrations.c and readiness.c share. */
#ifndef MESHSHIM_READINESS_PARTS_H
#define MESHSHIM_READINESS_PARTS_H

#include <stdint.h>

#include "conn/pending/readiness.h"

/* Stands for the timer where a connection's index would be. */
enum { INDEX_BITS = 24, TIMER_INDEX = (1 << INDEX_BITS) - 1 };

/* registrations.c: what epoll gives back for what is ours. */
uint64_t readiness_cookie(uint32_t index);
extern uint64_t readiness_magic; /* what they have in common */
static inline bool readiness_is_cookie(uint64_t data)
{
    return (data & ~(uint64_t)TIMER_INDEX) == readiness_magic;
}

/* readiness.c: the deadlines wake this set as well. 0, or minus an errno. */
int readiness_add_timer(int epfd);

/*
 * readiness.c. What the program is shown of a pending connection, out of poll(2)'s `asked` and POLLHUP: that it can be written to, in the grace,
 * and the end that it has made itself by shutting down reading.
 */
short readiness_shown(const struct conn *conn, short asked);

#endif
