/* Connecting: which endpoint, and another one on the same socket when it fails (connect(AF_UNSPEC), then connect again). */
#ifndef MESHSHIM_DIAL_H
#define MESHSHIM_DIAL_H

#include "conn/pending/pending.h"

/*
 * The program's connect() of `fd`, in state FRESH, to an address that `service` of `snapshot` (reference taken over) claims.
 * Returns 0, or minus the errno for the program (EINPROGRESS for a non-blocking socket).
 */
int dial_connect(struct conn *conn, int fd, const struct sockaddr *address, socklen_t length,
                 struct snapshot *snapshot, const struct service *service, const char *name);

/* A connection of the family that is not established: another process makes its handshake, or nobody has begun. -1: it cannot be gone on with. */
int dial_resume(struct conn *conn, int fd);

/* For pending.c, with the steps lock held. */
/* True once TCP is connected. False: it waits, or it has failed and conn->pending is gone. */
bool dial_step(struct conn *conn);
/* The present endpoint failed: tries another, now or after back-off. False: no try is left. */
bool dial_again(struct conn *conn, enum stats_failure reason, int error, const char *text);
/* The back-off is over. */
void dial_now(struct conn *conn);

/* This process listens on `port`, or no longer does. */
void dial_listening(uint16_t port, bool listens);
bool dial_listens(uint16_t port);

#endif
