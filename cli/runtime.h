/* The runtime directory, and the processes that have a socket in it. */
#ifndef MESHCTL_RUNTIME_H
#define MESHCTL_RUNTIME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Which directory: `wanted` where that is not NULL, else what the configuration says, else the environment, else the
 * library's own default. A configuration with errors is passed over with a warning. False: a sentence in `why`.
 */
bool runtime_dir_find(const char *wanted, char directory[PATH_MAX], struct buf *why);

struct process {
    int pid; /* 0: a socket that was named, of a process that we do not know */
    char socket[PATH_MAX];
};

/* Those with a socket, by process id; the caller frees the array. A directory that is not there has none. */
struct process *runtime_processes(const char *directory, size_t *count);

#endif
