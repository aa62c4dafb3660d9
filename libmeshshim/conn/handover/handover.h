/*
 * What becomes of connections when a program is started: those that it inherits go on there, those that exec closes end with a goodbye.
 *
 * The new image finds its connections by itself (adopt.h) in the family's memfd, which is passed on where there is something to be found:
 * an inherited connection, or a Unix socket by which one may come. A program that cannot be meshed gets neither: its protected
 * descriptors become close-on-exec.
 */
#ifndef MESHSHIM_HANDOVER_H
#define MESHSHIM_HANDOVER_H

#include <stdbool.h>
#include <sys/types.h>

struct conn;

struct handover {
    bool borrowed; /* in a vfork child */
    bool passed;   /* the memfd is open for the new image */
    int slot;
    int *hidden; /* descriptors that are close-on-exec while an unmeshable program is spawned */
    size_t hidden_count;
};

/* Is anything here that a new image could inherit? Else the rest need not be called. */
bool handover_matters(void);
/* Before exec in this process or in a vfork child. `meshable`: the new image will load this library. */
void handover_exec(struct handover *h, bool meshable);
/* It has failed. */
void handover_stay(struct handover *h);
/* What posix_spawn's file actions give to the program besides what it inherits; NULL: nothing. */
struct carriage {
    bool (*carries)(const void *actions, const struct conn *conn);
    const void *actions;
};

/* Around posix_spawn and its kin: `child` is its process id, 0 where it is not known or has ended, -1 where there is none. */
void handover_spawn(struct handover *h, bool meshable, const struct carriage *carriage);
void handover_spawned(struct handover *h, pid_t child);

/* In a forked child. */
void handover_after_fork(void);

/* A message on the Unix socket `channel` is about to carry `fd`: 0, or minus the errno for the program. */
int handover_send(int channel, int fd);
/* It was not sent. */
void handover_unsend(int channel, int fd);

#endif
