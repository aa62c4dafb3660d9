/*
 * What an implementation of the AEADs provides to aead.c: a stream of updates between a nonce and a tag. The
 * walk over the caller's buffers is aead.c's. Private to aead*.c and to tests.
 */
#ifndef MESHSHIM_AEAD_ENGINE_H
#define MESHSHIM_AEAD_ENGINE_H

#include "tls/aead.h"

struct aead_engine {
    const char *name;
    unsigned suites;         /* bits 1 << enum aead_suite; create is asked for no other */
    bool (*available)(void); /* in this build, on this processor */
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
    /*
     * A message that lies in one piece, and its tag behind it: what the four do one after the other, where one call of the engine does it
     * sooner; else NULL. The first seals n bytes where they are.
     */
    bool (*seal_whole)(struct aead *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length,
                       uint8_t *data, size_t n);
    bool (*open_whole)(struct aead *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length,
                       const uint8_t *in, size_t n, uint8_t *out);
};

/* Each engine's own context begins with this. */
struct aead {
    const struct aead_engine *engine;
};

extern const struct aead_engine aead_evp, aead_mb_avx2, aead_mb_vaes;

/* All that there are, the fastest first, up to NULL. The last has every suite and is always available. */
extern const struct aead_engine *const aead_engines[];

/*
 * Makes aead_new use the engine of that name (EVP where it lacks the suite); NULL: the fastest again, as at the start.
 * False: there is none of that name, or not here. For tests; what aead_new made before stays what it is.
 */
bool aead_prefer(const char *name);

#endif
