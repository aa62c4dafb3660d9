/* Can a program be meshed? Found as a shell finds it, looked at, and judged in a sentence. */
#ifndef MESHCTL_PROGRAM_H
#define MESHCTL_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "base/buf.h"

struct program {
    char path[PATH_MAX];        /* the file that was found; "" where there is none */
    char interpreter[PATH_MAX]; /* what runs it, for a script; else "" */
    char sanitizer[64];         /* a library that must be loaded before all others; else "" */
    bool found;                 /* it exists and may be executed: forcing makes sense */
};

/*
 * True where the library can be preloaded into it; else one sentence in `why`: what is in the way and what to do. `doubts`
 * gets a line for whatever may be. `library` is libmeshshim.so; NULL: not known.
 */
bool program_judge(const char *name, const char *library, struct program *program, struct buf *why,
                   struct buf *doubts);

#endif
