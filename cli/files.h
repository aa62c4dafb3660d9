/* Directories and files that are replaced whole: a reader sees the old one or the new one, never half of one. */
#ifndef MESHCTL_FILES_H
#define MESHCTL_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* DIR/NAME; false, with a sentence in `why`, where it is too long. */
bool file_path_join(char path[PATH_MAX], const char *directory, const char *name, struct buf *why);
/* Makes the directory and those above it. An existing one is left as it is. */
bool directory_make(const char *path, mode_t mode, struct buf *why);

/* A file written beside its final name, safe on disk, and not yet in its place. */
struct staged {
    char final[PATH_MAX], temporary[PATH_MAX]; /* temporary "": nothing is staged */
};
bool file_stage(struct staged *staged, const char *directory, const char *name, const struct buf *data,
                mode_t mode, struct buf *why);
/* Puts it in its place. */
bool file_commit(struct staged *staged, struct buf *why);
/* Removes what was not committed. */
void file_drop(struct staged *staged);
/* Makes renames in a directory last through a power cut. */
void directory_sync(const char *path);

/* Creates a file that must not exist (O_EXCL) and writes it; on failure nothing is left behind. Returns an errno. */
int file_create(const char *path, const struct buf *data, mode_t mode);

#endif
