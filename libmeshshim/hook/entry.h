/* What every hook does first and last: look the descriptor up, translate a result into errno. */
#ifndef MESHSHIM_ENTRY_H
#define MESHSHIM_ENTRY_H

#include <errno.h>

#include "base/process.h"
#include "base/reach.h"
#include "conn/conn.h"
#include "conn/fdtable.h"
#include "hook/export.h"

/* A count, or -1 with errno from minus an errno. The only place that sets errno. */
static inline ssize_t as_result(ssize_t result)
{
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

/* A child that was forked where nobody sees it, by a bare system call: it becomes a process of its own, whose locks are not its parent's. */
void entry_be_child(void);

/* The same for one that this process does not know to be connected: another one may have done it. */
struct conn *entry_connected(struct conn *conn, int fd);

/* The connection behind `fd` when its bytes are ours to protect; NULL: the kernel's own business. */
static inline struct conn *protected_conn(int fd)
{
    struct conn *conn = fdtable_get(fd);
    if (__builtin_expect(!conn, 1))
        return NULL;
    if (__builtin_expect(process_is_unseen_child(), 0))
        entry_be_child();
    if (__builtin_expect(conn_state(conn) >= CONN_CONNECTING, 1))
        return conn;
    return conn_state(conn) == CONN_FRESH && conn->shared ? entry_connected(conn, fd) : NULL;
}

/* May this process change what we know? Not in a vfork child, whose memory is its parent's. */
bool entry_may_change(void);

/* `fd` leads to something else by now than what we know. */
void entry_lost(int fd);

/* The close of `fd` begins; the connection whose close this caller must end with conn_left, or NULL. */
struct conn *entry_leave(int fd);

/* A number that the program gets anew cannot lead to what it once led to. */
static inline int entry_new(int fd)
{
    if (__builtin_expect(fdtable_get(fd) != NULL, 0))
        entry_lost(fd);
    return fd;
}

/* Makes `conn` ready for bytes: 0 ready, 1 it is plain text after all, minus an errno otherwise (0 in *ended: end of file). */
int entry_establish(struct conn *conn, int fd, int flags, bool to_send, bool *ended);

#endif
