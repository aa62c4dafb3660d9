/* Looking ahead at a ClientHello without consuming it, for ports that are shared with plain text. Pure. */
#ifndef MESHSHIM_CLIENTHELLO_H
#define MESHSHIM_CLIENTHELLO_H

#include <stddef.h>
#include <stdint.h>

enum hello_kind {
    HELLO_PARTIAL, /* could still become one of the others: look again when more has come */
    HELLO_OURS,    /* a TLS ClientHello that offers the ALPN protocol "meshshim" */
    HELLO_FOREIGN, /* a TLS ClientHello that does not */
    HELLO_PLAIN    /* not TLS at all */
};

/* Judges the first bytes of a connection. A ClientHello may span records; one longer than 16 KiB is foreign. */
enum hello_kind hello_classify(const uint8_t *data, size_t length);

#endif
