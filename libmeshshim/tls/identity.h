/*
 * Who we are and whom we believe: the certificate, key and trust bundle of a snapshot as OpenSSL contexts, and the
 * judgement of a peer's certificate. Built lazily, at the first meshed socket; immutable; reference-counted.
 */
#ifndef MESHSHIM_IDENTITY_H
#define MESHSHIM_IDENTITY_H

/* As OpenSSL declares them, so that whoever only passes them on need not include its headers. */
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

#include "base/buf.h"
#include "policy/snapshot.h"
#include "stats/stats.h"

struct identity;

/*
 * From the PEM texts of a snapshot. On any fault (missing, unreadable, expired or not yet valid, key does not match, SPIFFE ID is not
 * the workload's, chain does not lead to the bundle) returns NULL and one sentence in `why`, which names the file and the date.
 * The key's text stays the snapshot's.
 */
struct identity *identity_new(const struct workload *workload, struct buf *why);
struct identity *identity_ref(struct identity *identity);
void identity_unref(struct identity *identity);

/* TLS 1.3 only; both sides must prove a certificate; ALPN "meshshim"; X25519 first; no tickets sent; key log wired to
 * whatever the caller sets with SSL_CTX_set_keylog_callback. Borrowed; an SSL made of it must not outlive the identity. Both may be
 * one and the same: say SSL_set_connect_state or SSL_set_accept_state. */
SSL_CTX *identity_client_context(struct identity *identity);
SSL_CTX *identity_server_context(struct identity *identity);

/* The groups of a key exchange, the best first. */
#define IDENTITY_GROUPS "X25519:P-256:P-384"
/* Sessions are made and resumed in this context (SSL_set_session_id_context); a word to that effect for OpenSSL. */
#define IDENTITY_CONTEXT "meshshim"
enum { IDENTITY_MARK = 32 };
/* Of our own certificates and the trust bundle: what was agreed on with others does not hold with these. */
const uint8_t *identity_mark(const struct identity *identity);
/* Seconds since the epoch. */
int64_t identity_not_after(const struct identity *identity);
const char *identity_spiffe_id(const struct identity *identity);

/*
 * What a handshake asks of the peer's certificate. Attach it to an SSL before the handshake (it must outlive it); the context's
 * verification callback fills the answer: the chain, the dates, exactly one SPIFFE ID in the URI SANs, the trust domain, the list.
 */
struct peer_check {
    const char *trust_domain;           /* borrowed */
    const struct identity_list *wanted; /* borrowed; NULL or empty: any of the trust domain */
    bool peer_is_server;
    /* the answer */
    bool accepted;
    enum stats_failure
        failure;         /* FAILURE_CERTIFICATE: not valid; FAILURE_IDENTITY: valid, but somebody else */
    int64_t valid_until; /* where accepted by its certificates: the end of the first of them to end */
    char peer_id[256];   /* SPIFFE ID of a chain that verified; "" where there is none */
    char reason[384];    /* where refused: one sentence, who it was and who was expected */
};
int identity_attach(SSL *ssl, struct peer_check *check); /* 1 or 0, as OpenSSL's */

/* The error queue's first entry as words, "" where it is empty; empties it. */
void identity_openssl_error(char *text, size_t room);

/*
 * Every finding about a workload's files, a line each, for meshctl check and analyze: first the faults, then the
 * warnings. Returns how many are faults.
 */
int identity_examine(const struct workload *workload, struct buf *findings);

#endif
