/*
 * Authenticated encryption of one direction of one connection, behind an interface of its own so that a faster
 * implementation can be chosen by the processor at run time. An aead belongs to one process and one lock.
 */
#ifndef MESHSHIM_AEAD_H
#define MESHSHIM_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/iov.h"

enum aead_suite { AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305, AEAD_SUITES };

#define AEAD_NONCE 12
#define AEAD_TAG   16
#define AEAD_KEY   32 /* the longest */

/* 0 where there is no such suite: it may come from memory that others write. */
size_t aead_key_length(enum aead_suite suite);
/* A context with its key schedule; NULL when out of memory, or where there is no such suite. aead_free wipes it. */
struct aead *aead_new(enum aead_suite suite, const uint8_t *key);
void aead_free(struct aead *aead);

/*
 * Seals `length` bytes from `in` (advanced), then the `tail_length` bytes of `tail` (TLS' content type and padding),
 * into out[length + tail_length], then the tag. `in` may be exactly where `out` is, not otherwise overlap it.
 */
bool aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE], const uint8_t *aad, size_t aad_length,
               struct iov *in, size_t length, const uint8_t *tail, size_t tail_length, uint8_t *out);
/*
 * Opens `length` bytes of ciphertext at `in`, followed by its tag: the first out->left bytes of plaintext (at most)
 * go to `out` (advanced), the rest, at most `rest_room` bytes, to `rest`. Plaintext that does not fit both is an error. False: the
 * tag does not match (compared in constant time); what was written is wiped.
 */
bool aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE], const uint8_t *aad, size_t aad_length,
               const uint8_t *in, size_t length, struct iov *out, uint8_t *rest, size_t rest_room);
/* The same, where there is room for all of it in one piece: no slower, and sooner where an engine has a way of its own for that. */
bool aead_open_whole(struct aead *aead, const uint8_t nonce[AEAD_NONCE], const uint8_t *aad,
                     size_t aad_length, const uint8_t *in, size_t length, uint8_t *out);

/* Wipes n bytes of plaintext at `out`, in a way that no compiler leaves out. */
void aead_wipe(struct iov out, size_t n);

/* Which implementation runs, in words: "OpenSSL EVP". */
const char *aead_implementation(void);

#endif
