/*
 * Which processes have a description open. The last one that closes it says goodbye to the peer; a process that was killed
 * cannot say that it is gone, so whoever leaves looks whether the others still live.
 */
#ifndef MESHSHIM_HOLDERS_H
#define MESHSHIM_HOLDERS_H

#include "conn/conn.h"

void holders_join(struct shared *shared, pid_t pid);
/* True where nobody is left. */
bool holders_leave(struct shared *shared, pid_t pid);
bool holders_none(struct shared *shared);
/* fork: a place for the child before it exists, so that the parent may close before the child has run. */
void holders_expect_child(struct shared *shared, pid_t unused);
void holders_child_is(struct shared *shared, pid_t child);
void holders_no_child(struct shared *shared, pid_t unused);

#endif
