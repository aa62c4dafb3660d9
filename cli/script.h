/* Scripts: who runs them, and what a shell script that merely wraps a program executes. */
#ifndef MESHCTL_SCRIPT_H
#define MESHCTL_SCRIPT_H

#include <limits.h>
#include <stdbool.h>

#include "base/buf.h"

/*
 * The program that runs a script, from what follows "#!" (`line` is changed; the answer points into it); for env what env
 * runs, which is then looked for in PATH. NULL, with a sentence on `path` in `why`, where the kernel would find none.
 */
const char *script_interpreter(const char *path, char *line, bool *by_env, struct buf *why);

/* Is this the path of a shell, whose `exec` we can read? */
bool script_is_for_shell(const char *interpreter);

/* A shell script's `exec PROGRAM` lines, one after the other. */
struct script {
    char *text, *rest;
    bool is_certain; /* nothing before could have gone another way */
};
struct script_command {
    char name[PATH_MAX];
    bool is_certain; /* whoever runs the script comes here */
};
/* A long script, or one that cannot be read, has no lines. */
void script_open(struct script *script, const char *path);
bool script_next(struct script *script, struct script_command *command);
void script_close(struct script *script);

#endif
