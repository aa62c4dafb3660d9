/*
 * The tickets of servers that are not of our kind (RFC 8446 §4.6.1): nginx, Java, whatever speaks TLS 1.3 and proves an identity of the mesh.
 * They come behind the handshake, among the data, when OpenSSL's part is over; what it takes to use them is kept until then.
 */
#ifndef MESHSHIM_TICKETS_H
#define MESHSHIM_TICKETS_H

#include "base/iov.h"
#include "tls/keys.h"
#include "tls/sessions.h"

/* A server gives two, so that two connections at a time can resume; who gives more gives them for nothing. */
enum { TICKETS_MOST = 2 };

/* Of one connection. Plain data: it lives in memory shared across fork. Zeroed: no ticket is wanted. */
struct tickets {
    uint8_t secret[KEYS_SECRET]; /* the resumption master secret (RFC 8446 §7.1) */
    uint8_t place[SESSION_KEY], mark[SESSION_MARK];
    int64_t until, proven_until; /* as a session's */
    uint8_t suite;
    uint8_t wanted; /* so many more; with the last one the secret goes */
};

/* A NewSessionTicket's content, whole, has come from the one that proved to be `peer`. What cannot be used is dropped. How many more are wanted. */
unsigned tickets_keep(struct tickets *tickets, const char *peer, struct iov content, int64_t now);
void tickets_wipe(struct tickets *tickets);

#endif
