/* See hkdf.h. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the bare hash functions are called so since 3.0, and stay */
#include "tls/hkdf.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/banned.h"

enum { LONGEST_BLOCK = SHA512_CBLOCK, EXPANSIONS = 255 };

struct digest {
    enum hkdf_hash hash;
    union {
        SHA256_CTX sha256;
        SHA512_CTX sha384;
    };
};

static void begin(struct digest *d, enum hkdf_hash hash)
{
    d->hash = hash;
    if (hash == HKDF_SHA256)
        SHA256_Init(&d->sha256);
    else
        SHA384_Init(&d->sha384);
}

static void add(struct digest *d, const void *data, size_t length)
{
    if (d->hash == HKDF_SHA256)
        SHA256_Update(&d->sha256, data, length);
    else
        SHA384_Update(&d->sha384, data, length);
}

static void finish(struct digest *d, uint8_t *out)
{
    if (d->hash == HKDF_SHA256)
        SHA256_Final(out, &d->sha256);
    else
        SHA384_Final(out, &d->sha384);
}

static size_t block_of(enum hkdf_hash hash)
{
    return hash == HKDF_SHA256 ? SHA256_CBLOCK : SHA512_CBLOCK;
}

static void begin_padded(struct digest *d, enum hkdf_hash hash, struct hkdf_bytes key, uint8_t pad)
{
    uint8_t block[LONGEST_BLOCK];
    size_t size = block_of(hash);
    memset(block, pad, size);
    for (size_t i = 0; i < key.length && i < size; i++)
        block[i] ^= ((const uint8_t *)key.at)[i];
    begin(d, hash);
    add(d, block, size);
    OPENSSL_cleanse(block, sizeof block);
}

void hkdf_hmac(enum hkdf_hash hash, struct hkdf_bytes key, const struct hkdf_bytes pieces[3], uint8_t *out)
{
    struct digest d;
    uint8_t inner[HKDF_LONGEST];
    begin_padded(&d, hash, key, 0x36);
    for (int i = 0; i < 3 && pieces[i].length; i++)
        add(&d, pieces[i].at, pieces[i].length);
    finish(&d, inner);
    begin_padded(&d, hash, key, 0x5c);
    add(&d, inner, hash);
    finish(&d, out);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(&d, sizeof d);
}

void hkdf_extract(enum hkdf_hash hash, struct hkdf_bytes salt, struct hkdf_bytes secret, uint8_t *out)
{
    const struct hkdf_bytes pieces[3] = { secret };
    hkdf_hmac(hash, salt, pieces, out);
}

/* RFC 8446 §7.1's HkdfLabel. */
static size_t info_of(struct hkdf_bytes label, struct hkdf_bytes context, size_t length,
                      uint8_t info[HKDF_INFO])
{
    size_t n = 0;
    info[n++] = (uint8_t)(length >> 8);
    info[n++] = (uint8_t)length;
    info[n++] = (uint8_t)(6 + label.length);
    memcpy(info + n, "tls13 ", 6);
    n += 6;
    memcpy(info + n, label.at, label.length);
    n += label.length;
    info[n++] = (uint8_t)context.length;
    if (context.length)
        memcpy(info + n, context.at, context.length);
    return n + context.length;
}

bool hkdf_expand_label(enum hkdf_hash hash, const uint8_t *secret, struct hkdf_bytes label,
                       struct hkdf_bytes context, uint8_t *out, size_t length)
{
    uint8_t info[HKDF_INFO], block[HKDF_LONGEST];
    size_t n;
    if (label.length > 255 - 6 || context.length > 255 || length > (size_t)hash * EXPANSIONS)
        return false;
    n = info_of(label, context, length, info);
    for (uint8_t counter = 1; length; counter++) {
        size_t take = length < (size_t)hash ? length : (size_t)hash;
        const struct hkdf_bytes first[3] = { { info, n }, { &counter, 1 } },
                                next[3] = { { block, hash }, { info, n }, { &counter, 1 } };
        hkdf_hmac(hash, (struct hkdf_bytes){ secret, hash }, counter == 1 ? first : next, block);
        memcpy(out, block, take);
        out += take;
        length -= take;
    }
    OPENSSL_cleanse(block, sizeof block);
    return true;
}

void hkdf_digest(enum hkdf_hash hash, struct hkdf_bytes data, uint8_t *out)
{
    struct digest d;
    begin(&d, hash);
    if (data.length)
        add(&d, data.at, data.length);
    finish(&d, out);
}

bool hkdf_export(enum hkdf_hash hash, const uint8_t *secret, struct hkdf_bytes label,
                 struct hkdf_bytes context, uint8_t *out, size_t length)
{
    uint8_t digest[HKDF_LONGEST], derived[HKDF_LONGEST];
    bool good;
    hkdf_digest(hash, (struct hkdf_bytes){ NULL, 0 }, digest);
    good = hkdf_expand_label(hash, secret, label, (struct hkdf_bytes){ digest, hash }, derived, hash);
    hkdf_digest(hash, context, digest);
    good = good && hkdf_expand_label(hash, derived, (struct hkdf_bytes){ "exporter", 8 },
                                     (struct hkdf_bytes){ digest, hash }, out, length);
    OPENSSL_cleanse(derived, sizeof derived);
    return good;
}
