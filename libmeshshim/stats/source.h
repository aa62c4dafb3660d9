/* One region to be read: a file of the runtime directory, or memory of this process. */
#ifndef MESHSHIM_SOURCE_H
#define MESHSHIM_SOURCE_H

#include "stats/region.h"

struct source {
    int fd;                /* read with pread: a file cut short is an error, not SIGBUS */
    struct region *region; /* where fd is -1 */
    struct region_control control;
    int64_t active[REGION_SERIES]; /* connections that living processes have open */
    uint64_t left[REGION_SERIES];  /* that dead ones had, and nobody has counted as closed yet */
    struct region_process record;  /* the one that is looked at: too large for a stack */
};

struct sources {
    struct source **list;
    size_t count;
};

/* Opens all there are of a directory, and what this process keeps to itself. 0 or an errno; sources_close in
 * either case. */
int sources_open(struct sources *sources, const char *directory);
void sources_close(struct sources *sources);
bool source_read(const struct source *source, size_t offset, void *to, size_t length);

#endif
