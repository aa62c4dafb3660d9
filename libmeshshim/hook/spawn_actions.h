/*
 * posix_spawn's file actions are opaque, and the new descriptors that they make are not in our table. Whether one of them would be a
 * protected connection is remembered when it is added.
 */
#ifndef MESHSHIM_SPAWN_ACTIONS_H
#define MESHSHIM_SPAWN_ACTIONS_H

#include <spawn.h>
#include <stdbool.h>

struct conn;

/* Would a program that is spawned with these get this connection? NULL: any that is protected. */
bool spawn_actions_carry(const void *actions, const struct conn *conn);
/* In a forked child. */
void spawn_actions_after_fork(void);

#endif
