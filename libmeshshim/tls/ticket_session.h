/* A ticket as OpenSSL offers it. It lets one into a session by way of the session's ASN.1 alone. */
#ifndef MESHSHIM_TICKET_SESSION_H
#define MESHSHIM_TICKET_SESSION_H

#include <openssl/ssl.h>

#include "tls/sessions.h"

/* `like` (which is changed) with the ticket of `session`. NULL: it cannot be had. */
SSL_SESSION *ticket_session(SSL_SESSION *like, const struct session *session, const uint8_t *ticket);

#endif
