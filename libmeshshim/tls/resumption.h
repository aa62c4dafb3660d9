/*
 * Resuming: a handshake without certificates, by a secret that both ends took from an earlier one.
 *
 * Both derive it by the exporter (RFC 8446 §7.5) when that handshake is through, so no ticket is ever sent: nothing is left unread in
 * a socket that closes. It is used once, as an external PSK with a new (EC)DHE (psk_dhe_ke; psk_only.h is the exception), and never for early data. Each use is judged
 * anew by the lists and the trust domain of today; another certificate or bundle of ours finds no session at all.
 *
 * A server of another kind gives tickets (tickets.h); the same holds for those.
 */
#ifndef MESHSHIM_RESUMPTION_H
#define MESHSHIM_RESUMPTION_H

#include <openssl/ssl.h>

#include "tls/identity.h"
#include "tls/sessions.h"
#include "tls/tickets.h"

/* Belongs to one handshake; zeroed, it does nothing. */
struct resumption {
    struct identity *identity; /* borrowed */
    struct peer_check *check;  /* borrowed */
    bool is_server, enabled;
    bool has;                   /* the session that is offered, or that a client has shown */
    bool asked;                 /* a client has shown one */
    bool psk_only;              /* a client offers no key exchange: see psk_only.h */
    uint8_t place[SESSION_KEY]; /* a client's: where it leads */
    uint8_t named[SESSION_KEY]; /* and by which name, for foreign tickets: one address may be many servers */
    struct session session;
};

/*
 * Before the handshake. `destination`: of a client, where it leads ("10.0.0.1:80"); NULL: a server. `psk_only`: without (EC)DHE (psk_ke), if the
 * peer does so too. False: out of memory.
 */
bool resumption_begin(struct resumption *resumption, SSL *ssl, struct identity *identity,
                      struct peer_check *check, const char *destination, bool psk_only);
/*
 * The handshake is through; `exporter`: its exporter's secret, NULL: not known. True: it was resumed, and the check says who it is. Either way both ends keep what they need for the
 * next one. False and nothing in the check: it was not, and the certificate's judgement counts.
 */
bool resumption_settle(struct resumption *resumption, SSL *ssl, const uint8_t *exporter);
/*
 * Behind it, of a client whose server is of another kind: what the server's tickets are good for. `master`: the resumption master secret,
 * `length` bytes. Nothing is wanted where it is another.
 */
void resumption_expect_tickets(const struct resumption *resumption, SSL *ssl, const uint8_t *master,
                               size_t length, struct tickets *tickets);
void resumption_end(struct resumption *resumption);

#endif
