/*
 * A TCP connection of the program, from socket() to the last close.
 *
 * struct shared is what belongs to the open file description: it lives in the family's memory (shared.h). struct conn is one
 * process' view of it. Memory of both is never unmapped, so a thread that loses a race against close() sees a recycled
 * object, notices, and goes on; it never touches freed memory.
 *
 * States, and who moves them:
 *
 *   FRESH ──listen──► LISTENING
 *     │connect
 *     ▼
 *   CONNECTING ──TCP up──► SHAKING ──► OPEN        (pending: CONNECTING, ARRIVED, SHAKING)
 *       ▲  └──another endpoint──┘ │
 *   ARRIVED (from accept) ────────┤
 *                                 ├──► FAILED      the errno is reported, nothing ever passes
 *                                 └──► (untracked) permissive port, plain text
 */
#ifndef MESHSHIM_CONN_H
#define MESHSHIM_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/lock.h"
#include "conn/family/shared.h"
#include "conn/fdtable.h"
#include "stats/stats.h"
#include "tls/aead.h"

enum conn_state {
    CONN_FREE,
    CONN_FRESH, /* a TCP socket that does nothing yet */
    CONN_LISTENING,
    CONN_CONNECTING, /* waits for TCP */
    CONN_ARRIVED,    /* accepted; the client has not said anything yet */
    CONN_SHAKING,    /* in the TLS handshake */
    CONN_OPEN,
    CONN_FAILED
};

struct pending; /* conn/pending.h: everything that ends with the handshake */

struct registration {
    int epfd;
    int fd; /* the number it was registered under */
    uint32_t events;
    uint64_t data;
};

struct conn {
    _Atomic uint8_t state; /* enum conn_state */
    _Atomic bool closing;
    bool spent;          /* FRESH: the kernel has yet to tell the error of a try that failed */
    bool exact_listener; /* LISTENING: port is known */
    bool
        connect_told; /* a further connect() is EISCONN; before, it is 0 once, as the kernel says after EINPROGRESS */
    bool may_pass;         /* accepted on a permissive port: plain text is let pass */
    bool plain;            /* it was let pass: a permissive port, and not for us */
    bool inherited;        /* exec: the new image gets a descriptor of it */
    bool parted;           /* exec: this process has given it up already, for others have it */
    bool last;             /* closing: no other process has the description */
    uint16_t port;         /* LISTENING */
    uint32_t index;        /* of this object, for epoll cookies */
    _Atomic int fds;       /* descriptors of this process that lead here */
    _Atomic int entries;   /* the same, and those whose close is not yet over */
    _Atomic int fd;        /* one of them */
    struct shared *shared; /* NULL: nothing to protect (yet) */
    struct aead *rx_aead, *tx_aead;
    bool kernel_seals,
        kernel_opens; /* shared->tx.kernel, rx.kernel, and the kernel has said so to this process */
    uint32_t rx_epoch, tx_epoch;
    struct counters *counters;
    struct series *series;
    struct pending *_Atomic pending; /* who does not hold the steps lock reads it once: see pending.h */
    struct lock steps;               /* pending state, error, registrations */
    _Atomic int
        sleepers; /* threads that sleep until it is settled and drive it themselves: see pending_await */
    int error;    /* FAILED: what reads and writes get */
    bool error_told;
    int so_error;              /* what getsockopt(SO_ERROR) gives, once */
    struct endpoint *endpoint; /* counted active while open; keeps `snapshot` */
    struct snapshot *snapshot;
    struct registration *registrations;
    uint16_t registration_count, registration_room;
    struct conn *next;       /* free list */
    struct dialled *dialled; /* what the program asked for, where it got another endpoint */
};

/* A new view of one description for `fd`, in `state`, entered in the descriptor table; NULL when out of memory or table. */
struct conn *conn_new(int fd, enum conn_state state);
/* Gives it shared memory and makes this process a holder. False when out of memory. */
bool conn_share(struct conn *conn);
/* The same for those that are not connected: another process is about to have them, too, and may connect them. */
void conn_share_fresh(void);
/* `fd`, which nothing leads to, is a connection that cannot be protected: it is cut, and says `error` from here on. Needs no memory. */
void conn_refuse(int fd, int error);
/* One more descriptor of this process leads to `conn`. */
bool conn_add_fd(struct conn *conn, int fd);
/*
 * `fd` is about to be closed, or to lead elsewhere: the last one says goodbye to the peer. From here on its bytes are refused. True for the
 * one caller who then makes the real call, and conn_left after it.
 */
bool conn_leave(struct conn *conn, int fd);
/* The real call is over: the number is free, or `next` is what it leads to now; the last one gives everything back. */
void conn_left(struct conn *conn, int fd, struct conn *next);
/* Both, where the descriptor goes on as the program's own. */
void conn_drop_fd(struct conn *conn, int fd);
/* Both, where `fd` was closed unseen and leads to something else by now, to which nothing must be said. */
void conn_lost_fd(struct conn *conn, int fd);
/* Takes `fd` and all its duplicates out of the table: from here on they are the program's own business. */
void conn_forget(struct conn *conn);
/* After releasing a lock of a connection: ends a close that had to wait for it. */
void conn_settle(struct conn *conn);
struct conn *conn_at(uint32_t index);

static inline enum conn_state conn_state(const struct conn *conn)
{
    return (enum conn_state)atomic_load_explicit(&conn->state, memory_order_acquire);
}

static inline bool conn_is_pending(const struct conn *conn)
{
    enum conn_state state = conn_state(conn);
    return state >= CONN_CONNECTING && state <= CONN_SHAKING;
}

/* Whose identity was proved, for the log; as "%.255s", for other processes may have written over its end. */
static inline const char *conn_peer(const struct conn *conn)
{
    return conn->shared->about.peer[0] ? conn->shared->about.peer : "the peer";
}

/*
 * Is what was looked up before a lock was taken still so? Asked with a direction's lock held, which keeps the connection from being
 * recycled; before that it may have been, to another one, even under the same number, that is not open yet and has no keys.
 */
static inline bool conn_is_current(const struct conn *conn, int fd, const struct shared *shared)
{
    return fdtable_is(fd, conn) && conn->shared == shared && conn_state(conn) == CONN_OPEN;
}

/*
 * Around fork: the child holds everything that this process holds. Before: a slot for it, which the other three are given back
 * (-1 where there is none, or where nobody has announced the child).
 */
int conn_before_fork(void);
/*
 * False where a filter of the program's was installed for its own calls alone, and there is no connection for whose sake others would be
 * made: then a fork and the end of the process go without them.
 */
bool conn_may_call(void);
void conn_fork_failed(int slot);
void conn_after_fork_in_parent(int slot, pid_t child, bool may_begin_thread); /* as in pending.h */
void conn_after_fork_in_child(int slot);
/* Of the last one that has it. */
void conn_say_goodbye(struct conn *conn, int fd);
/* At the process' end: says goodbye on what nobody else holds. */
void conn_goodbye_all(void);
/* Calls `each` for every connection of this process, for /connections. */
void conn_each(void (*each)(struct conn *conn, void *context), void *context);

#endif
