/* TLS 1.3 traffic keys: HKDF-Expand-Label (RFC 8446 §7.1) from the secrets of OpenSSL's key log. */
#ifndef MESHSHIM_KEYS_H
#define MESHSHIM_KEYS_H

#include "tls/aead.h"

#define KEYS_SECRET 48 /* the longest: SHA-384 */

/*
 * All that is kept of one direction after the handshake. Plain data: it lives in memory shared across fork.
 * `seq` is the next record's sequence number under `key`; `epoch` counts key updates.
 */
struct keys {
    uint8_t secret[KEYS_SECRET];
    uint8_t key[AEAD_KEY];
    uint8_t iv[AEAD_NONCE];
    uint8_t suite; /* enum aead_suite */
    uint32_t epoch;
    uint64_t seq;
};

/* Key and IV from a traffic secret (32 bytes, 48 for AES-256-GCM); false only when out of memory. */
bool keys_derive(struct keys *keys, enum aead_suite suite, const uint8_t *secret);
/* The next generation (RFC 8446 §7.2): new secret, key, IV; seq 0; epoch + 1. */
bool keys_update(struct keys *keys);
/* RFC 8446 §5.3: the IV xor the sequence number; the next one, or `seq`. */
void keys_nonce(const struct keys *keys, uint8_t nonce[AEAD_NONCE]);
void keys_nonce_of(const struct keys *keys, uint64_t seq, uint8_t nonce[AEAD_NONCE]);
/* HKDF-Expand-Label itself, for the tests' vectors. `context` may be empty. */
bool keys_expand_label(enum aead_suite suite, const uint8_t *secret, const char *label,
                       const uint8_t *context, size_t context_length, uint8_t *out, size_t length);
void keys_wipe(struct keys *keys);

#endif
