/*
 * What an implementation of the AEADs provides to aead.c: a stream of updates between a nonce and a tag. The
 * walk over the caller's buffers is aead.c's. Private to aead*.c.
 */
#ifndef MESHSHIM_AEAD_ENGINE_H
#define MESHSHIM_AEAD_ENGINE_H

#include "tls/aead.h"

struct aead_engine {
    const char *name;
    struct aead *(*create)(enum aead_suite suite, const uint8_t *key);
    void (*destroy)(struct aead *aead);
    /* Begins a message; `sealing` false opens one. */
    bool (*begin)(struct aead *aead, bool sealing, const uint8_t *nonce, const uint8_t *aad,
                  size_t aad_length);
    /* The next n bytes; in == out is allowed. */
    bool (*update)(struct aead *aead, const uint8_t *in, size_t n, uint8_t *out);
    bool (*finish_seal)(struct aead *aead, uint8_t tag[AEAD_TAG]);
    /* Compares in constant time. */
    bool (*finish_open)(struct aead *aead, const uint8_t tag[AEAD_TAG]);
};

/* Each engine's own context begins with this. */
struct aead {
    const struct aead_engine *engine;
};

extern const struct aead_engine aead_evp;

#endif
