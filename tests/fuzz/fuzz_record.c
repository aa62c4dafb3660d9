/*
 * Incoming records, by each AEAD engine. The first byte picks suite, mode and how the buffer is cut; the rest
 * is either a record as it came from the wire (almost never authentic) or an inner plaintext, which OpenSSL
 * seals first and then must open to what it says.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "tls/aead_engine.h"
#include "tls/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Opens into a buffer of the exact room, cut into elements of `step` bytes. */
static int open_cut(struct aead *aead, struct keys *keys, const uint8_t *in, size_t total, size_t step,
                    uint8_t *out, struct record *record)
{
    size_t room = total - RECORD_OVERHEAD, count = 0;
    struct iovec *v = calloc(room / step + 1, sizeof *v);
    struct iov cursor;
    int result;

    for (size_t at = 0; at < room; at += step)
        v[count++] = (struct iovec){ out + at, room - at < step ? room - at : step };
    cursor = iov_of(v, count);
    result = record_open(aead, keys, in, total, &cursor, record);
    must(cursor.left == (result == 0 ? room - record->length : room));
    free(v);
    return result;
}

static void from_the_wire(struct aead *aead, struct keys *keys, const uint8_t *data, size_t size, size_t step)
{
    struct record record;
    int total = size < RECORD_HEADER ? -1 : record_length(data);
    uint8_t *out;

    if (total < 0 || (size_t)total > size)
        return;
    out = malloc((size_t)total);
    must(open_cut(aead, keys, data, (size_t)total, step, out, &record) < 0);
    free(out);
}

static struct aead *made_by(const struct aead_engine *engine, const struct keys *keys)
{
    struct aead *aead;

    must(aead_prefer(engine->name));
    aead = aead_new((enum aead_suite)keys->suite, keys->key);
    must(aead != NULL);
    return aead;
}

static uint8_t *seal_inner(struct keys *keys, const uint8_t *inner, size_t n)
{
    uint8_t *sealed = malloc(RECORD_HEADER + n + AEAD_TAG), nonce[AEAD_NONCE], *copy = malloc(n);
    struct iovec v = { copy, n };
    struct iov in = iov_of(&v, 1);
    size_t body = n + AEAD_TAG;
    uint8_t header[RECORD_HEADER] = { RECORD_DATA, 3, 3, (uint8_t)(body >> 8), (uint8_t)body };
    struct aead *aead = made_by(&aead_evp, keys);

    memcpy(copy, inner, n);
    memcpy(sealed, header, sizeof header);
    keys_nonce(keys, nonce);
    must(aead_seal(aead, nonce, header, sizeof header, &in, n, NULL, 0, sealed + RECORD_HEADER));
    aead_free(aead);
    free(copy);
    return sealed;
}

static void authentic(struct aead *aead, struct keys *keys, const uint8_t *inner, size_t n, size_t step)
{
    size_t type = n, total = RECORD_HEADER + n + AEAD_TAG;
    struct record record;
    uint8_t *sealed, *out;
    int result;

    if (n == 0 || n > RECORD_BODY - AEAD_TAG)
        return;
    sealed = seal_inner(keys, inner, n);
    out = malloc(total);
    result = open_cut(aead, keys, sealed, total, step, out, &record);
    while (type > 0 && inner[type - 1] == 0)
        type--;
    if (result == 0) {
        must(type > 0 && record.type == inner[type - 1] && record.length == type - 1);
        must(n <= RECORD_PLAINTEXT + 1 && memcmp(out, inner, record.length) == 0);
    } else {
        must(n > RECORD_PLAINTEXT + 1 || type == 0 || inner[type - 1] != RECORD_DATA);
    }
    free(out);
    free(sealed);
}

static void try_engine(const struct aead_engine *engine, const uint8_t *data, size_t size)
{
    static const uint8_t secret[KEYS_SECRET] = { 1, 2, 3 };
    size_t step = 1 + data[0] / 8 * 3;
    struct keys keys;
    struct aead *aead;

    must(keys_derive(&keys, (enum aead_suite)(data[0] % AEAD_SUITES), secret));
    aead = made_by(engine, &keys);
    if (data[0] & 4)
        authentic(aead, &keys, data + 1, size - 1, step);
    else
        from_the_wire(aead, &keys, data + 1, size - 1, step);
    aead_free(aead);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; size > 0 && aead_engines[i]; i++)
        if (aead_engines[i]->available())
            try_engine(aead_engines[i], data, size);
    return 0;
}
