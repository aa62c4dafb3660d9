/*
 * A connection of the library that stands, over real TCP, and its peer, which seals whatever it is told to. (A fuzzer links the library's
 * sources but for its hooks, so what it calls itself is libc's.)
 */
#ifndef FUZZ_OPEN_CONN_H
#define FUZZ_OPEN_CONN_H

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/process.h"
#include "conn/conn.h"
#include "conn/fdtable.h"
#include "conn/family/slots.h"
#include "conn/mesh.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/readiness.h"
#include "conn/stream/stream.h"
#include "input.h"
#include "tls/record.h"

struct open_conn {
    struct conn *conn;
    int fd, peer;
    struct keys peer_keys; /* by which the peer seals */
    struct aead *peer_aead;
    uint8_t late[RECORD_MOST]; /* the end of a record that the peer has begun to send */
    size_t late_length;
};

static int listener = -1;
static struct sockaddr_in listens = { .sin_family = AF_INET };

/* For conn_each: what the rubbish has kept from its end must not be met by the next input, which has another family. */
static inline void forget(struct conn *conn, void *unused)
{
    (void)unused;
    pending_abandon(conn);
    conn->shared = NULL;
    conn->last = false;
    atomic_store(&conn->closing, true);
    conn_settle(conn);
}

/* A lock that a living process holds is waited for, and one of another pid namespace is taken for that: its owner becomes a dead one of ours. */
static inline void tame(struct lock *lock)
{
    uint32_t owner = lock->word & 0x7fffffff, id = 0x3fffff;
    if (owner != 0 && owner != lock_self())
        lock->word = (lock->word & 0x80000000) | (lock_self() & ~id) | id;
}

/* What a process does when the library is loaded; the log is written, to nowhere. */
static inline void open_conn_init(void)
{
    socklen_t length = sizeof listens;
    setenv("MESHSHIM_LOG", "debug", 1);
    setenv("MESHSHIM_LOG_FILE", "/dev/null", 1);
    signal(SIGPIPE, SIG_IGN);
    process_init();
    log_init();
    readiness_init();
    must(fdtable_init());
    mesh_state = MESH_ON;
    listens.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(listener, (struct sockaddr *)&listens, sizeof listens) == 0 && listen(listener, 16) == 0 &&
         getsockname(listener, (struct sockaddr *)&listens, &length) == 0);
}

/* Our end sends through a small buffer, so that the kernel takes a part; the peer sends at once. */
static inline void set_up(const int pair[2])
{
    const int size = 16384, on = 1;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(pair[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Both ends by RST, or the ports would run out. */
static inline void tcp_close(int fd)
{
    const struct linger at_once = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static inline void tcp_pair(int pair[2])
{
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    must(pair[1] >= 0);
    connect(pair[1], (struct sockaddr *)&listens, sizeof listens);
    pair[0] = accept4(listener, (struct sockaddr *)&from, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    must(pair[0] >= 0);
    set_up(pair);
}

static inline struct open_conn open_conn_begin(enum aead_suite suite, bool inbound)
{
    static const uint8_t ours[KEYS_SECRET] = { 1, 2, 3 }, theirs[KEYS_SECRET] = { 4, 5, 6 };
    struct open_conn o = { .late_length = 0 };
    struct shared *shared;
    int pair[2];
    tcp_pair(pair);
    o.fd = pair[0];
    o.peer = pair[1];
    o.conn = conn_new(o.fd, CONN_SHAKING);
    must(o.conn && conn_share(o.conn));
    shared = o.conn->shared;
    must(keys_derive(&shared->tx.keys, suite, ours) && keys_derive(&shared->rx.keys, suite, theirs));
    o.peer_keys = shared->rx.keys;
    o.peer_aead = aead_new(suite, o.peer_keys.key);
    must(o.peer_aead != NULL);
    shared->inbound = inbound;
    snprintf(shared->about.service, sizeof shared->about.service, "cache");
    snprintf(shared->about.peer, sizeof shared->about.peer, "spiffe://mesh.local/ns/default/sa/cache");
    atomic_store(&shared->established, 1);
    settle_count(o.conn, true);
    atomic_store(&o.conn->state, CONN_OPEN);
    return o;
}

/* What is late comes. False: the kernel takes no more. */
static inline bool peer_completes(struct open_conn *o)
{
    size_t n = o->late_length;
    o->late_length = 0;
    return n == 0 || send(o->peer, o->late, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

/* The peer sends a record of that type, of which up to `late` bytes come only before the next one. False: the kernel takes no more. */
static inline bool peer_sends(struct open_conn *o, uint8_t type, const uint8_t *content, size_t n,
                              size_t late)
{
    uint8_t record[RECORD_MOST];
    struct iovec span = { (void *)(uintptr_t)content, n };
    struct iov in = iov_of(&span, 1);
    size_t total = record_seal(o->peer_aead, &o->peer_keys, type, &in, n, record);
    if (total == 0 || !peer_completes(o))
        return false;
    o->late_length = late < total ? late : total - 1;
    total -= o->late_length;
    memcpy(o->late, record + total, o->late_length);
    return send(o->peer, record, total, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)total;
}

/* What the peer has sent has come: it has been acknowledged. */
static inline void peer_is_heard(struct open_conn *o)
{
    int queued = 1;
    while (ioctl(o->peer, SIOCOUTQ, &queued) == 0 && queued > 0)
        sched_yield();
}

static inline void peer_updates_keys(struct open_conn *o)
{
    aead_free(o->peer_aead);
    must(keys_update(&o->peer_keys));
    o->peer_aead = aead_new((enum aead_suite)o->peer_keys.suite, o->peer_keys.key);
    must(o->peer_aead != NULL);
}

static inline void peer_drains(struct open_conn *o)
{
    uint8_t bytes[65536];
    while (recv(o->peer, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

static inline void open_conn_end(struct open_conn *o)
{
    conn_drop_fd(o->conn, o->fd);
    tcp_close(o->fd);
    tcp_close(o->peer);
    aead_free(o->peer_aead);
}

#endif
