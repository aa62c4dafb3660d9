/*
 * HMAC (RFC 2104), HKDF (RFC 5869) and TLS 1.3's HKDF-Expand-Label (RFC 8446 §7.1) with SHA-256 or SHA-384, on the bare hash functions:
 * nothing is fetched or allocated, which is most of what these cost in OpenSSL 3.
 */
#ifndef MESHSHIM_HKDF_H
#define MESHSHIM_HKDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Known by its length in bytes, which is that of its secrets too. */
enum hkdf_hash { HKDF_SHA256 = 32, HKDF_SHA384 = 48 };
enum { HKDF_LONGEST = 48, HKDF_INFO = 2 + 1 + 255 + 1 + 255 };

struct hkdf_bytes {
    const void *at;
    size_t length;
};

/* The key is no longer than the hash's block (64 or 128 bytes); of the pieces, those behind the first of length 0 do not count. */
void hkdf_hmac(enum hkdf_hash hash, struct hkdf_bytes key, const struct hkdf_bytes pieces[3], uint8_t *out);
/* An empty salt is as good as one of zeros. */
void hkdf_extract(enum hkdf_hash hash, struct hkdf_bytes salt, struct hkdf_bytes secret, uint8_t *out);
/* `secret` is as long as the hash. False: the label, the context or what is wanted is too long. */
bool hkdf_expand_label(enum hkdf_hash hash, const uint8_t *secret, struct hkdf_bytes label,
                       struct hkdf_bytes context, uint8_t *out, size_t length);
/* What an exporter gives (RFC 8446 §7.5), from its secret. */
bool hkdf_export(enum hkdf_hash hash, const uint8_t *secret, struct hkdf_bytes label,
                 struct hkdf_bytes context, uint8_t *out, size_t length);
void hkdf_digest(enum hkdf_hash hash, struct hkdf_bytes data, uint8_t *out);

#endif
