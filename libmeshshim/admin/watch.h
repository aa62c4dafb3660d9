/*
 * Notices that files change: by watching their directories, for editors and Kubernetes put new files in old
 * places (it swaps a symbolic link, ..data). Says so once it has been quiet for a moment.
 */
#ifndef MESHSHIM_WATCH_H
#define MESHSHIM_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_FILES 32

struct watch_file {
    int directory; /* inotify's number of it */
    char name[256];
};

struct watch {
    int fd; /* -1: none */
    struct watch_file file[WATCH_FILES];
    unsigned count;
    int64_t first_ms, last_ms; /* of the changes not yet reported; 0: none */
};

/* -1 or a new inotify descriptor, non-blocking, close-on-exec. */
int watch_open(void);
/* Forgets what was watched and watches what `list` adds, with what symbolic links lead to. */
void watch_files(struct watch *watch,
                 void (*list)(void (*add)(const char *path, void *context), void *context));
/* The descriptor is readable. */
void watch_read(struct watch *watch, int64_t now_ms);
/* When a report is due, in ms of the same clock; -1: nothing is pending. */
int64_t watch_due(const struct watch *watch);
/* Takes note that it was reported. */
void watch_reported(struct watch *watch);

#endif
