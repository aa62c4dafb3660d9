/* What the hooks ask of the library as a whole; implemented by init.c, which knows every layer. */
#ifndef MESHSHIM_START_H
#define MESHSHIM_START_H

#include <stdbool.h>
#include <sys/types.h>

/* The first meshed socket of the process: statistics and the admin thread begin. Cheap when they have. */
void start_service(void);
/*
 * In a forked child, however it was made: puts every layer in order. `slot`: what conn_before_fork gave, -1 where nobody saw it coming. `in_handler`:
 * without the allocator.
 */
void start_after_fork(int slot, bool in_handler);
/* A fork by a system call of its own: hook_process.c. */
long process_fork_by(long number, long a, long b, long c, long d, long e);
/* Once, at start-up: hook_process.c. */
void process_watch_forks(void);
/*
 * The program is about to lock itself in: what would be forbidden later is done now. `all_threads`: our own are locked in as well, and would
 * end the program by the first thing that they do; they end.
 */
void start_before_lock_in(bool all_threads);
/* At the end of the process: goodbyes. */
void start_end(void);

#endif
