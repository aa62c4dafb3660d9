/* A program that is to run in the mesh: can it, and with what in its environment? */
#ifndef MESHCTL_LAUNCH_H
#define MESHCTL_LAUNCH_H

#include <limits.h>
#include <stdbool.h>

#include "base/buf.h"

struct launch {
    const char *config, *library; /* as asked for; NULL: the default */
    bool force;                   /* also where it cannot be meshed */
    bool must_mesh;               /* not so, whatever the configuration says */
    const char *program;
    char **arguments; /* its argv */
};

struct meshing {
    char library[PATH_MAX], config[PATH_MAX]; /* absolute: the program may change its directory */
    char sanitizer[64];                       /* what it needs in front of the library, or "" */
};

/* The configuration's absolute path; `wanted` NULL: the default one. False: a sentence in `why`. */
bool launch_find_config(const char *wanted, char path[PATH_MAX], struct buf *why);
/* Judges the program and finds what it needs; doubts are told. False: a sentence in `why`. */
bool launch_prepare(const struct launch *launch, struct meshing *meshing, struct buf *why);
/* Sets the environment: what this process executes from now on is meshed. */
bool launch_mesh(const struct meshing *meshing, struct buf *why);

#endif
