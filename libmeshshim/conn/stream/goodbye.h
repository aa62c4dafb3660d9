/*
 * Goodbyes that the kernel has no room for. Where it seals the records, a full send buffer takes no close_notify, and a FIN without one is a
 * truncation. A descriptor of our own keeps the connection open until there is room, which a thread waits for.
 */
#ifndef MESHSHIM_GOODBYE_H
#define MESHSHIM_GOODBYE_H

#include <stdbool.h>

struct conn;

/*
 * Of the connection of `fd`, which the program is about to close, or, where `shut`, will not write to any more. True: it is said later, and the
 * kernel's end of what is written comes behind it.
 */
bool goodbye_say(struct conn *conn, int fd, bool shut);
/* The process ends: waits for them, but not for long. */
void goodbye_finish(void);
/* In a forked child: they are the parent's. */
void goodbye_after_fork(void);

#endif
