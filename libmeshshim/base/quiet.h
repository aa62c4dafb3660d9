/*
 * A stretch of our own work on the program's thread that must not be left in the middle: no signal handler of the program runs (it may
 * come back into the very list that is being changed, or leave by longjmp), and the thread is not cancelled (at one of the many
 * calls in which libc looks for that). For work that happens now and then; bytes of an open connection go without.
 */
#ifndef MESHSHIM_QUIET_H
#define MESHSHIM_QUIET_H

#include <signal.h>

struct quiet {
    sigset_t before;
    int cancel;
    int error; /* errno at its beginning */
};

/* Nests; only the outermost pair costs anything. errno is kept. */
void quiet_begin(struct quiet *quiet);
void quiet_end(const struct quiet *quiet);

/*
 * Around fork: other threads are let out of such stretches, and no new one begins, so that the child gets no half-done work of threads that
 * it does not have, and no lock of OpenSSL's or the allocator's that one of them holds for us. Bounded: after a second the fork goes on.
 */
void quiet_alone_begin(void);
void quiet_alone_end(void);
/* In the child, instead of quiet_alone_end. */
void quiet_after_fork(void);

#endif
