/* A hello taken apart, so that one thing in it can be wrong. */
#ifndef BAD_HELLO_H
#define BAD_HELLO_H

#include "bad.h"

enum { EXTENSIONS = 40 };

struct extension {
    uint16_t type;
    size_t length;
    const uint8_t *data;
};

/* ClientHello or ServerHello (RFC 8446 §4.1.2, §4.1.3); the bytes belong to whoever read it. */
struct hello {
    bool server;
    uint16_t version;
    uint8_t random[32];
    uint8_t session[64], ciphers[256],
        compression[8]; /* a server's cipher is one, and so is its compression */
    size_t session_length, ciphers_length, compression_length;
    struct extension extensions[EXTENSIONS];
    size_t count, trailing; /* trailing: zeros behind the end of the extensions */
    bool overrun;           /* the last extension claims a byte more than there is */
    uint32_t claimed;       /* the message's length, if not the true one */
};

/* From the first record of `data`, which holds all of it; its length, or 0. */
size_t hello_read(struct hello *hello, const uint8_t *data, size_t n);
/* As one record. */
size_t hello_record(const struct hello *hello, uint8_t *out);
struct extension *hello_extension(struct hello *hello, uint16_t type);
void hello_drop(struct hello *hello, uint16_t type);
void hello_add(struct hello *hello, uint16_t type, const void *data, size_t length);
/* Other content for an extension that is there. */
void hello_set(struct hello *hello, uint16_t type, const void *data, size_t length);

#endif
