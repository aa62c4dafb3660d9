/* See clienthello.h. */
#include "tls/clienthello.h"

#include <stdbool.h>
#include <string.h>

#include "base/banned.h"

enum {
    RECORD_HANDSHAKE = 22,
    CLIENT_HELLO = 1,
    EXTENSION_ALPN = 16,
    FRAGMENT_MOST = 16384,
    HELLO_MOST = 16384
};

/* Reads the handshake message across record boundaries. `kind` is the verdict where a read fails. */
struct reader {
    const uint8_t *data;
    size_t length, at;
    size_t record_left;  /* bytes of this record's fragment still to come */
    size_t message_left; /* bytes of the handshake message still to come */
    enum hello_kind kind;
};

static bool stop(struct reader *r, enum hello_kind kind)
{
    r->kind = kind;
    return false;
}

/* A record header, judged byte by byte: "\x16H" must not wait for three bytes more. */
static bool record_header(struct reader *r, enum hello_kind otherwise)
{
    const uint8_t *h = r->data + r->at;
    size_t have = r->length - r->at;

    if ((have > 0 && h[0] != RECORD_HANDSHAKE) || (have > 1 && h[1] != 3) || (have > 2 && h[2] > 4))
        return stop(r, otherwise);
    if (have < 5)
        return stop(r, HELLO_PARTIAL);
    r->record_left = (size_t)h[3] << 8 | h[4];
    r->at += 5;
    if (r->record_left == 0 || r->record_left > FRAGMENT_MOST)
        return stop(r, otherwise);
    return true;
}

/* Makes at least one byte of the message readable. */
static bool ready(struct reader *r)
{
    if (r->message_left == 0)
        return stop(r, HELLO_FOREIGN);
    if (r->record_left == 0 && !record_header(r, HELLO_FOREIGN))
        return false;
    if (r->at == r->length)
        return stop(r, HELLO_PARTIAL);
    return true;
}

static bool skip(struct reader *r, size_t n)
{
    if (n > r->message_left)
        return stop(r, HELLO_FOREIGN);
    while (n > 0) {
        size_t step = n;
        if (!ready(r))
            return false;
        if (step > r->record_left)
            step = r->record_left;
        if (step > r->length - r->at)
            step = r->length - r->at;
        r->at += step;
        r->record_left -= step;
        r->message_left -= step;
        n -= step;
    }
    return true;
}

/* A big-endian number of `bytes` bytes. */
static bool number(struct reader *r, int bytes, size_t *value)
{
    *value = 0;
    while (bytes-- > 0) {
        if (!ready(r))
            return false;
        *value = *value << 8 | r->data[r->at];
        if (!skip(r, 1))
            return false;
    }
    return true;
}

/* A vector that is of no interest: its length in `bytes` bytes, then its content. */
static bool skip_vector(struct reader *r, int bytes)
{
    size_t n;
    return number(r, bytes, &n) && skip(r, n);
}

static bool is_ours(struct reader *r, size_t n, bool *ours)
{
    static const char name[] = "meshshim";

    *ours = n == sizeof name - 1;
    if (!*ours)
        return skip(r, n);
    for (size_t i = 0, c; i < n; i++) {
        if (!number(r, 1, &c))
            return false;
        *ours = *ours && c == (size_t)name[i];
    }
    return true;
}

/* The ALPN extension's content, `size` bytes: HELLO_OURS as soon as our name is read. */
static bool alpn(struct reader *r, size_t size)
{
    size_t list, n;

    if (!number(r, 2, &list))
        return false;
    if (size < 2 || list != size - 2)
        return stop(r, HELLO_FOREIGN);
    while (list > 0) {
        bool ours;
        if (!number(r, 1, &n))
            return false;
        if (n >= list)
            return stop(r, HELLO_FOREIGN);
        if (!is_ours(r, n, &ours))
            return false;
        if (ours)
            return stop(r, HELLO_OURS);
        list -= 1 + n;
    }
    return stop(r, HELLO_FOREIGN);
}

static bool extensions(struct reader *r)
{
    size_t all, type, size;

    if (!number(r, 2, &all))
        return false;
    if (all != r->message_left)
        return stop(r, HELLO_FOREIGN);
    while (r->message_left > 0) {
        if (!number(r, 2, &type) || !number(r, 2, &size))
            return false;
        if (size > r->message_left)
            return stop(r, HELLO_FOREIGN);
        if (type == EXTENSION_ALPN)
            return alpn(r, size);
        if (!skip(r, size))
            return false;
    }
    return stop(r, HELLO_FOREIGN);
}

/* The message's type and length. Until the type is read it may be anything that begins like a record. */
static bool message_header(struct reader *r)
{
    size_t type, size;

    r->message_left = 4;
    if (!number(r, 1, &type))
        return false;
    if (type != CLIENT_HELLO)
        return stop(r, HELLO_PLAIN);
    if (!number(r, 3, &size))
        return false;
    if (size > HELLO_MOST)
        return stop(r, HELLO_FOREIGN);
    r->message_left = size;
    return true;
}

enum hello_kind hello_classify(const uint8_t *data, size_t length)
{
    struct reader r = { .data = data, .length = length, .kind = HELLO_PARTIAL };

    if (record_header(&r, HELLO_PLAIN) && message_header(&r) && skip(&r, 2 + 32) /* version, random */ &&
        skip_vector(&r, 1) /* session */ && skip_vector(&r, 2) /* ciphers */ &&
        skip_vector(&r, 1) /* compression */)
        extensions(&r);
    return r.kind;
}
