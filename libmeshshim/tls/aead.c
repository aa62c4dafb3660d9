/* See aead.h. The walk over the caller's buffers; the arithmetic is an engine's. */
#include "tls/aead.h"

#include <stdatomic.h>

#include <openssl/crypto.h>

#include "base/banned.h"
#include "tls/aead_engine.h"

static const uint8_t key_lengths[AEAD_SUITES] = {
    [AEAD_AES_128_GCM] = 16,
    [AEAD_AES_256_GCM] = 32,
    [AEAD_CHACHA20_POLY1305] = 32,
};

size_t aead_key_length(enum aead_suite suite)
{
    return (unsigned)suite < AEAD_SUITES ? key_lengths[suite] : 0;
}

const struct aead_engine *const aead_engines[] = { &aead_mb_vaes, &aead_mb_avx2, &aead_evp, NULL };

static _Atomic(const struct aead_engine *) preferred;

/* Threads that find it unset at once set it to the same. */
static const struct aead_engine *chosen(void)
{
    const struct aead_engine *engine = atomic_load_explicit(&preferred, memory_order_relaxed);

    if (engine)
        return engine;
    for (size_t i = 0; !engine; i++)
        if (aead_engines[i]->available())
            engine = aead_engines[i];
    atomic_store_explicit(&preferred, engine, memory_order_relaxed);
    return engine;
}

bool aead_prefer(const char *name)
{
    const struct aead_engine *found = NULL;

    for (size_t i = 0; name && aead_engines[i]; i++)
        if (strcmp(aead_engines[i]->name, name) == 0 && aead_engines[i]->available())
            found = aead_engines[i];
    if (name && !found)
        return false;
    atomic_store_explicit(&preferred, found, memory_order_relaxed);
    return true;
}

struct aead *aead_new(enum aead_suite suite, const uint8_t *key)
{
    const struct aead_engine *engine = chosen();
    struct aead *aead;

    if ((unsigned)suite >= AEAD_SUITES)
        return NULL;
    if (!(engine->suites & 1U << suite))
        engine = &aead_evp;
    aead = engine->create(suite, key);
    if (aead)
        aead->engine = engine;
    return aead;
}

void aead_free(struct aead *aead)
{
    if (aead)
        aead->engine->destroy(aead);
}

const char *aead_implementation(void)
{
    return chosen()->name;
}

/* To copy so much takes less time than an engine's work on two parts instead of one whole. */
enum { COPIED_MOST = 2048 };

/* Is it in its place already? */
static bool is_at(const struct iov *in, size_t length, const uint8_t *out)
{
    struct iovec span = iov_span(in, length);
    return span.iov_base == out && span.iov_len == length;
}

bool aead_seal(struct aead *aead, const uint8_t nonce[AEAD_NONCE], const uint8_t *aad, size_t aad_length,
               struct iov *in, size_t length, const uint8_t *tail, size_t tail_length, uint8_t *out)
{
    const struct aead_engine *engine = aead->engine;

    if (length > in->left)
        return false;
    if (engine->seal_whole && (length <= COPIED_MOST || is_at(in, length, out))) {
        if (is_at(in, length, out))
            iov_advance(in, length);
        else
            iov_take(in, out, length);
        if (tail_length > 0)
            memcpy(out + length, tail, tail_length);
        return engine->seal_whole(aead, nonce, aad, aad_length, out, length + tail_length);
    }
    if (!engine->begin(aead, true, nonce, aad, aad_length))
        return false;
    while (length > 0) {
        struct iovec span = iov_span(in, length);
        if (!engine->update(aead, span.iov_base, span.iov_len, out))
            return false;
        iov_advance(in, span.iov_len);
        out += span.iov_len;
        length -= span.iov_len;
    }
    if (tail_length > 0 && !engine->update(aead, tail, tail_length, out))
        return false;
    return engine->finish_seal(aead, out + tail_length);
}

void aead_wipe(struct iov out, size_t n)
{
    while (n > 0) {
        struct iovec span = iov_span(&out, n);
        OPENSSL_cleanse(span.iov_base, span.iov_len);
        iov_advance(&out, span.iov_len);
        n -= span.iov_len;
    }
}

/* Opens n bytes into `out`, which has room for them, and moves it on. */
static bool open_spans(struct aead *aead, const uint8_t *in, size_t n, struct iov *out)
{
    while (n > 0) {
        struct iovec span = iov_span(out, n);
        if (!aead->engine->update(aead, in, span.iov_len, span.iov_base))
            return false;
        iov_advance(out, span.iov_len);
        in += span.iov_len;
        n -= span.iov_len;
    }
    return true;
}

bool aead_open_whole(struct aead *aead, const uint8_t nonce[AEAD_NONCE], const uint8_t *aad,
                     size_t aad_length, const uint8_t *in, size_t length, uint8_t *out)
{
    const struct aead_engine *engine = aead->engine;
    bool good = engine->open_whole ? engine->open_whole(aead, nonce, aad, aad_length, in, length, out)
                                   : engine->begin(aead, false, nonce, aad, aad_length) &&
                                         (length == 0 || engine->update(aead, in, length, out)) &&
                                         engine->finish_open(aead, in + length);

    if (__builtin_expect(!good, 0))
        OPENSSL_cleanse(out, length);
    return good;
}

bool aead_open(struct aead *aead, const uint8_t nonce[AEAD_NONCE], const uint8_t *aad, size_t aad_length,
               const uint8_t *in, size_t length, struct iov *out, uint8_t *rest, size_t rest_room)
{
    const struct aead_engine *engine = aead->engine;
    size_t direct = length < out->left ? length : out->left;
    struct iov start = *out;

    if (length - direct > rest_room || !engine->begin(aead, false, nonce, aad, aad_length))
        return false;
    if (open_spans(aead, in, direct, out) &&
        (length == direct || engine->update(aead, in + direct, length - direct, rest)) &&
        engine->finish_open(aead, in + length))
        return true;
    /* Unauthenticated plaintext must not be seen by anybody. */
    *out = start;
    aead_wipe(start, direct);
    if (length > direct)
        OPENSSL_cleanse(rest, length - direct);
    return false;
}
