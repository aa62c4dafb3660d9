/* The socket RUNTIME_DIR/PID.sock. */
#ifndef MESHSHIM_LISTENER_H
#define MESHSHIM_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes it, mode 0600, listening from the moment it has its name. Replaces a stale one, never a live one
 * (EADDRINUSE) nor what is no socket (EEXIST). Returns 0, *fd (non-blocking, close-on-exec) and the path, or
 * an errno.
 */
int listener_open(const char *directory, char *path, size_t room, int *fd);
/* Removes the sockets of processes that were killed. */
void listener_sweep(const char *directory);
/* Connects once and leaves: whoever listens at `path` wakes up. */
void listener_knock(const char *path);
/* Is the client of this user, or root? */
bool listener_admits(int client);

#endif
