/* libmeshshim.so: where it is and what it carries. */
#ifndef MESHCTL_LIBRARY_H
#define MESHCTL_LIBRARY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * The absolute path of the library: `wanted` where that is not NULL, else beside meshctl (a build directory) or in
 * ../lib (an installation). False, with a sentence in `why`, where there is none, or LD_PRELOAD could not name it.
 */
bool library_find(const char *wanted, char path[PATH_MAX], struct buf *why);
/* Would the dynamic loader take it? Tried without running any of its code. False: a sentence in `why`. */
bool library_loads(const char *path, struct buf *why);
/* What the file says of itself. */
struct library_versions {
    char own[32];      /* "0.1.0" */
    char openssl[128]; /* "OpenSSL 3.0.17 1 Jul 2025", or in words that it is the system's */
};
void library_versions(const char *path, struct library_versions *versions);

#endif
