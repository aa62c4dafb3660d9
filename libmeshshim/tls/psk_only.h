/*
 * A client that resumes without a new key exchange (RFC 8446 §4.2.9: psk_ke). OpenSSL 3.0 accepts it as a server, where SSL_OP_ALLOW_NO_DHE_KEX is
 * set, but as a client always offers the other mode first, with a key share, which costs it what is to be saved, and is what servers
 * take. Where it is linked in statically, the linker puts ours in place of the functions that write these two extensions (Makefile: --wrap):
 * the hello offers this mode alone and an empty list of key shares. A server that does not want it asks for a share (HelloRetryRequest), and
 * for the certificates.
 */
#ifndef MESHSHIM_PSK_ONLY_H
#define MESHSHIM_PSK_ONLY_H

#include <stdbool.h>

#include <openssl/ssl.h>

/* For this SSL, before its handshake; SSL_OP_ALLOW_NO_DHE_KEX is set. False: out of memory. */
bool psk_only_begin(SSL *ssl);

#endif
