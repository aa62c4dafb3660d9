/*
 * What two ends keep of a handshake to resume it (RFC 8446 §2.2): a handle, a secret, and whom it proved.
 *
 * All processes of a workload on this host keep theirs in one table: a file of the runtime directory where that is in memory (tmpfs),
 * so that a curl finds what the one before it left; else memory that a process shares with its children. A session is taken out by whoever
 * uses it, once. There is no lock: a place is claimed by compare-and-swap; who dies with one leaves it unusable.
 */
#ifndef MESHSHIM_SESSIONS_H
#define MESHSHIM_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/iov.h"
#include "tls/keys.h"

enum { SESSION_KEY = 32, SESSION_MARK = 32, SESSION_PEER = 256, SESSION_SECONDS = 3600 };
/* A longer ticket is not kept. OpenSSL's of a client with a certificate have a KiB and a half. */
enum { SESSION_TICKET = 4096, SESSION_TICKET_SECONDS = 7 * 24 * 3600 };

/* Who keeps it: a client by where it leads, a server by the handle; and a client what a server of another kind has given it. */
enum session_side { SESSION_CLIENT, SESSION_SERVER, SESSION_FOREIGN };

/* Where to find it: the key, and the mark of the identity (our own certificate and bundle) that it was made with. */
struct session_place {
    enum session_side side;
    uint8_t key[SESSION_KEY], mark[SESSION_MARK];
};

struct session {
    uint8_t handle[SESSION_KEY];
    uint8_t secret[KEYS_SECRET];
    uint8_t suite;     /* enum aead_suite: of the handshake that it is from */
    uint8_t exchanges; /* a client's: not 0: its server was asked to do without a key exchange, and did not */
    int64_t until;     /* seconds since the epoch: not used from then on */
    int64_t proven_until; /* when the peer's certificates end, which were shown in the first handshake */
    /* Of a ticket (RFC 8446 §4.6.1), which takes the handle's place; else 0. */
    uint16_t ticket_length;
    uint32_t age_add, lifetime; /* as the server said; the latter in seconds */
    int64_t given;              /* seconds since the epoch */
    char peer[SESSION_PEER];    /* the last: see sessions.c */
};

/* The table of this process, at its first call; `owner` is the workload's SPIFFE ID. */
void sessions_open(const char *runtime_dir, const char *owner);
/* Another one may be forgotten, the oldest of its neighbours. */
void sessions_put(const struct session_place *place, const struct session *session, int64_t now);
/* Of SESSION_FOREIGN, with its ticket: session->ticket_length bytes, at most SESSION_TICKET, at `ticket`. */
void sessions_put_ticket(const struct session_place *place, const struct session *session, struct iov ticket,
                         int64_t now);
bool sessions_take_ticket(const struct session_place *place, struct session *session,
                          uint8_t ticket[SESSION_TICKET], int64_t now);
/* The oldest one of the place, which is nobody else's from then on. False: there is none that may still be used. */
bool sessions_take(const struct session_place *place, struct session *session, int64_t now);
/* So many can be kept, and are. */
unsigned sessions_room(enum session_side side);
unsigned sessions_count(enum session_side side, int64_t now);

#endif
