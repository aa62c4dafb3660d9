/* A program that is run for what it costs, plain or meshed. */
#ifndef MESHCTL_TRIAL_H
#define MESHCTL_TRIAL_H

#include <stdint.h>

#include "launch.h"

struct trial {
    int status; /* the program's exit status; 128 and the signal's number where one ended it; 127: not started */
    uint64_t wall_ns, processor_ns;
    uint64_t resident_kib; /* the most that it had */
};

/*
 * Runs it to its end, with nothing to read and its standard output dropped. `meshing` NULL: plain, and without a library that
 * this process may have been given. `answer`: a descriptor that it inherits, its number in the variable TRIAL_FD; -1: none.
 * False: a sentence in `why`.
 */
bool trial_run(char *const *arguments, const struct meshing *meshing, int answer, struct trial *trial,
               struct buf *why);

#define TRIAL_FD "MESHCTL_BENCH_FD"

#endif
