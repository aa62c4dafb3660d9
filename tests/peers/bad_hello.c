/* See bad_hello.h. */
#include "bad_hello.h"

#include <string.h>

#include "base/banned.h"

static size_t number(const uint8_t *at, int bytes)
{
    size_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | *at++;
    return value;
}

static uint8_t *put(uint8_t *at, int bytes, size_t value)
{
    for (int i = bytes - 1; i >= 0; i--)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}

static uint8_t *put_bytes(uint8_t *at, const void *data, size_t n)
{
    memcpy(at, data, n);
    return at + n;
}

/* A vector, or, without a length in front, `length` bytes of it. */
static const uint8_t *take(const uint8_t *at, int bytes, uint8_t *out, size_t room, size_t *length)
{
    if (bytes)
        *length = number(at, bytes);
    if (*length > room)
        *length = room;
    memcpy(out, at + bytes, *length);
    return at + bytes + *length;
}

size_t hello_read(struct hello *h, const uint8_t *data, size_t n)
{
    size_t record = n < 5 ? 0 : 5 + number(data + 3, 2);
    const uint8_t *at = data + 9, *end = data + record;
    *h = (struct hello){ 0 };
    if (record < 50 || record > n || data[0] != 22)
        return 0;
    h->server = data[5] == 2;
    h->version = (uint16_t)number(at, 2);
    memcpy(h->random, at + 2, 32);
    at = take(at + 34, 1, h->session, sizeof h->session, &h->session_length);
    h->ciphers_length = 2;
    h->compression_length = 1;
    at = take(at, h->server ? 0 : 2, h->ciphers, sizeof h->ciphers, &h->ciphers_length);
    at = take(at, h->server ? 0 : 1, h->compression, sizeof h->compression, &h->compression_length);
    for (at += 2; at < end && h->count < EXTENSIONS; at += 4 + number(at + 2, 2))
        h->extensions[h->count++] = (struct extension){ (uint16_t)number(at, 2), number(at + 2, 2), at + 4 };
    return record;
}

size_t hello_record(const struct hello *h, uint8_t *out)
{
    uint8_t *at = out + 9, *all;
    at = put_bytes(put(at, 2, h->version), h->random, 32);
    at = put_bytes(put(at, 1, h->session_length), h->session, h->session_length);
    at = put_bytes(put(at, h->server ? 0 : 2, h->ciphers_length), h->ciphers, h->ciphers_length);
    at = put_bytes(put(at, h->server ? 0 : 1, h->compression_length), h->compression, h->compression_length);
    all = at;
    at += 2;
    for (size_t i = 0; i < h->count; i++) {
        const struct extension *e = &h->extensions[i];
        at = put(put(at, 2, e->type), 2, e->length + (h->overrun && i == h->count - 1));
        at = put_bytes(at, e->data, e->length);
    }
    put(all, 2, (size_t)(at - all) - 2);
    for (size_t i = 0; i < h->trailing; i++)
        *at++ = 0;
    out[0] = 22;
    put(out + 1, 2, 0x0303);
    put(out + 3, 2, (size_t)(at - out) - 5);
    out[5] = h->server ? 2 : 1;
    put(out + 6, 3, h->claimed ? h->claimed : (size_t)(at - out) - 9);
    return (size_t)(at - out);
}

struct extension *hello_extension(struct hello *h, uint16_t type)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->extensions[i].type == type)
            return &h->extensions[i];
    return NULL;
}

void hello_drop(struct hello *h, uint16_t type)
{
    struct extension *e = hello_extension(h, type);
    if (!e)
        return;
    h->count--;
    memmove(e, e + 1, (size_t)(h->extensions + h->count - e) * sizeof *e);
}

void hello_add(struct hello *h, uint16_t type, const void *data, size_t length)
{
    if (h->count < EXTENSIONS)
        h->extensions[h->count++] = (struct extension){ type, length, data };
}

void hello_set(struct hello *h, uint16_t type, const void *data, size_t length)
{
    struct extension *e = hello_extension(h, type);
    if (e)
        *e = (struct extension){ type, length, data };
}
