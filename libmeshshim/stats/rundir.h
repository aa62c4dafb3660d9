/* The runtime directory: where the counters' file and the processes' sockets are. */
#ifndef MESHSHIM_RUNDIR_H
#define MESHSHIM_RUNDIR_H

/*
 * Makes the directory (0700, not its parents) where it is missing. Returns 0 where it may be used, or an
 * errno: EPERM where it lies in a place that anybody may write to, such as /tmp, and belongs to somebody
 * else.
 */
int rundir_prepare(const char *path);

#endif
