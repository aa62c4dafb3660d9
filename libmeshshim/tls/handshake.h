/*
 * One TLS 1.3 handshake over a socket that never blocks: OpenSSL's state machine behind a BIO of our own over the real libc
 * calls. It never reads past a record, so what follows the handshake stays in the kernel for the record layer.
 */
#ifndef MESHSHIM_HANDSHAKE_H
#define MESHSHIM_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/snapshot.h"
#include "stats/stats.h"
#include "tls/keys.h"

struct identity;
struct tickets;
struct handshake;

enum handshake_status { HANDSHAKE_WANTS_READ, HANDSHAKE_WANTS_WRITE, HANDSHAKE_DONE, HANDSHAKE_FAILED };

struct handshake_terms {
    struct identity *identity; /* a reference is taken */
    bool is_server;
    const char *server_name;            /* client: the name that was dialled, for SNI; NULL: none */
    bool resumes;                       /* an earlier handshake may be resumed, and this one be later */
    const char *destination;            /* client: the address, by which such a one is remembered */
    const char *trust_domain;           /* borrowed until handshake_free */
    const struct identity_list *wanted; /* likewise; NULL: any of the trust domain */
    bool without_forward_secrecy; /* and be resumed without a new key exchange, if the peer does so too */
};

/* Why a handshake failed. */
struct handshake_fault {
    enum stats_failure reason;
    int error;      /* the errno for the program's read or write; connect maps ECONNRESET to ECONNREFUSED */
    bool silent;    /* the peer left before it said anything: a probe, not an attack */
    char text[512]; /* one clause, "it sent \"GET / HT\", which is not TLS" */
};

/* NULL only when out of memory. */
struct handshake *handshake_new(const struct handshake_terms *terms);
void handshake_free(struct handshake *handshake);

/* Goes as far as `fd` allows without waiting. */
enum handshake_status handshake_step(struct handshake *handshake, int fd);
/* Has one byte of the peer arrived? */
bool handshake_peer_spoke(const struct handshake *handshake);
/* After HANDSHAKE_FAILED; borrowed. */
const struct handshake_fault *handshake_fault(const struct handshake *handshake);
/* After HANDSHAKE_DONE: the peer's proven SPIFFE ID, borrowed, and the keys of both directions. False: failed after all. */
const char *handshake_peer_id(const struct handshake *handshake);
bool handshake_keys(struct handshake *handshake, struct keys *send, struct keys *receive);

/* And what it takes to use the tickets that the peer may give; false where none are wanted. */
bool handshake_expect_tickets(struct handshake *handshake, struct tickets *tickets);

/* It did without certificates: an earlier one had shown them. */
bool handshake_resumed(const struct handshake *handshake);
/* There was a key exchange in it. */
bool handshake_is_forward_secret(const struct handshake *handshake);

/* What to look at after an alert by which the peer does not accept our certificate; NULL: it is about something else. */
const char *handshake_alert_advice(uint8_t alert);

#endif
