/*
 * A connection from connect() or accept() until its handshake is done.
 *
 * Nothing here waits, except pending_wait, which a blocking call of the program uses. Everything else goes as far as
 * the socket allows and returns. All pending connections of the process are in one list, so that a thread which must wait for one
 * drives the others as well: a program that is both ends on one thread makes progress.
 */
#ifndef MESHSHIM_PENDING_H
#define MESHSHIM_PENDING_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/iov.h"
#include "conn/conn.h"
#include "policy/snapshot.h"
#include "tls/handshake.h"

/* What the program dialled. */
struct dialled {
    struct sockaddr_storage address;
    socklen_t length;
};

/* Outbound: which endpoint, how many tries are left, and what went wrong before. */
struct dial {
    const struct service *service;
    struct dialled dialled;
    char name[256];  /* the host name that the program resolved, "" for none */
    size_t at;       /* the endpoint being tried, when the service has endpoints */
    uint64_t *tried; /* a bit an endpoint */
    unsigned attempt, attempts;
    _Atomic int64_t retry_ms; /* back-off: not before, 0: now */
    int last_error;
    struct buf history; /* each endpoint and why */
    int64_t started_ns;
    int64_t connect_ns; /* how long TCP took */
    bool async;         /* the program's connect was non-blocking */
};

/*
 * Changed by whoever holds the connection's steps lock. Other threads look when it is due and for what it waits, and may be wrong about that
 * for a moment: what they read is atomic, and the memory is never given back, but serves another connection.
 */
struct pending {
    struct conn *conn;
    struct pending *next, *previous;
    struct handshake *handshake;
    struct snapshot *snapshot;
    struct identity *identity;
    const struct inbound_policy *inbound; /* NULL: outbound */
    struct dial dial;
    _Atomic bool wants_write;
    _Atomic bool held;   /* the program is not shown the kernel's readiness */
    _Atomic bool graced; /* connect has succeeded for the program; the proof comes before the first byte */
    _Atomic bool full;   /* a send was told EAGAIN: it is not writable again before the proof */
    _Atomic bool
        inherited; /* by fork: the parent has it in hand, until this process does something with it itself */
    /* To be brought to an end by this process, whatever the program does: early bytes, or it was sent to another process. */
    _Atomic bool owed;
    /* Owed, but the program has closed it without a word: its process' end does not wait for it for long. */
    _Atomic bool wordless;
    bool had_turn;              /* in this round of the driver's; under the list's lock */
    bool is_self;               /* the listener is this very process: no grace */
    bool shut_read, shut_write; /* the program has shut it down: done after the handshake */
    _Atomic int64_t deadline_ms, grace_ms;
    _Atomic int64_t
        look_ms; /* another process makes the handshake: when to look whether it is done; 0: nobody asks */
    int64_t shaking_ns;
    uint8_t *early; /* what the program has sent: it goes out when the peer has proved itself */
    uint32_t early_length, early_room;
    char peer_text[64]; /* "10.0.0.1:4711" */
};

enum pending_result { PENDING_WAITS, PENDING_DONE, PENDING_FAILED, PENDING_PLAIN };

/* How many there are in this process: 0 is the fast path of every wait. */
extern _Atomic int pending_count;

/* Zeroed, or NULL. */
struct pending *pending_new(void);
/* Starts following `conn`; takes over the references in `pending`. */
void pending_begin(struct conn *conn, struct pending *pending);
/* As far as it goes now. PENDING_PLAIN: a permissive port, and the connection is no longer ours. */
enum pending_result pending_drive(struct conn *conn);
/*
 * For a blocking call: until it is done (0), or minus the errno that the call returns. `until_grace`: connect, which is also content
 * with handshake_grace. 1: the connection is plain text.
 */
int pending_wait(struct conn *conn, int fd, bool until_grace);
/* The same, of one that this process has dialled, for no more than four times its service's grace, then -EAGAIN. */
int pending_wait_patiently(struct conn *conn, int fd);
/*
 * `fd` has ceased to lead to its connection: 1, it was let pass as plain text, and the real call may follow; -EBADF, it was closed. By now
 * the object may serve another connection: `may_pass` is what it said while it was still this one.
 */
int pending_gone(int fd, bool may_pass);
/* What the program dialled, where it gets another endpoint. False: it gets that, or is not pending (any more: conn->dialled). */
bool pending_dialled(struct conn *conn, struct dialled *dialled);
/* Frees what was never begun, or is detached; NULL does nothing. */
void pending_discard(struct pending *pending);
/* The program wants to write first on a permissive port: a client that stays silent for the grace is plain text. */
void pending_wants_to_speak(struct conn *conn);
/*
 * Keeps what the program sends before the peer is proved, where it may think that it can: connect has succeeded for it, or it has
 * accepted. As much as the kernel is sure to take at once, where that is not very much; driver.h sees that it goes out. The number of bytes kept; 0: not now, or no more room.
 */
size_t pending_keep_early(struct conn *conn, struct iov *in);
/* The program was told EAGAIN (a send, or something else): from here on it must not be woken for the handshake's own readiness. */
void pending_hold(struct conn *conn, bool sending);
/* A descriptor that leads to `conn`, but is not the last one, is about to be closed. */
void pending_leave(struct conn *conn, int fd);
/* A message is about to carry it to another process: this one goes on with a handshake that has begun, and the other has the keys then. */
void pending_send(struct conn *conn);
/* The program shuts down a direction (SHUT_RD, …), or both, once the handshake is done. False: it is by now. */
bool pending_shut(struct conn *conn, int how);
/* The program shuts down what TCP has not made yet: no endpoint is tried any more. True: it was between two tries, and has failed by this. */
bool pending_try_no_more(struct conn *conn);
/* The program gives it up. */
void pending_abandon(struct conn *conn);
/* Ends what is overdue; the next deadline in milliseconds of the monotonic clock, 0: none. */
int64_t pending_expire(int64_t now_ms);
/*
 * This thread is about to sleep in poll(2) on the connection, and will drive it itself: until pending_awake, no other thread takes bytes
 * from under that poll, which would sleep on although the handshake is done. Look again whether it is pending, between the two.
 */
void pending_await(struct conn *conn);
void pending_awake(void *conn); /* also for undo_begin */
/* In the grace connect has succeeded: it is writable as often as the program asks, until a send says otherwise. */
bool pending_is_writable(const struct conn *conn);
/* The program has shut down reading, which the kernel is told when the proof is there: until then there is nothing to read, and never will be. */
static inline bool pending_is_deaf(const struct conn *conn)
{
    const struct pending *p = conn->pending;
    return p && p->shut_read && conn_is_pending(conn);
}
/* How long such a poll may last: a call on the very same connection, or a deadline, may settle it in another thread none the less. */
enum { PENDING_SLEEP_MS = 100 };
/* Drives every pending connection that no other thread is driving. */
void pending_drive_others(struct conn *except);
/* Of those only the ones that were made to a listener of this very process. False: there is none. */
bool pending_drive_selves(void);
/* Events of poll(2) that the next step waits for, 0: only time. */
short pending_wants(const struct conn *conn);
/* Fails it, from any state: counts, logs, tells waiters. The steps lock is held. */
void pending_fail(struct conn *conn, enum stats_failure reason, int error, const char *text);

/*
 * The child waits for the handshakes that were begun here: they go on, whatever the program does next. Not `may_begin_thread`: only if there is a
 * thread for that, or else in the program's own waits.
 */
void pending_after_fork_in_parent(bool may_begin_thread);
void pending_after_fork(void); /* in the child */

/* "10.0.0.1:80", "[::1]:80" */
void pending_address_text(const struct sockaddr *address, char *text, size_t room);

#endif
