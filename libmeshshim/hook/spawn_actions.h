/*
 * posix_spawn's file actions are opaque, and the new descriptors that they make are not in our table. Whether one of them would be a
 * protected connection is remembered when it is added.
 */
#ifndef MESHSHIM_SPAWN_ACTIONS_H
#define MESHSHIM_SPAWN_ACTIONS_H

#include <spawn.h>
#include <stdbool.h>

/* Would a program that is spawned with these get a protected connection? */
bool spawn_actions_pass(const posix_spawn_file_actions_t *actions);

#endif
