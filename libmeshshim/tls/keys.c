/* See keys.h. */
#include "tls/keys.h"

#include <endian.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/banned.h"
#include "tls/hkdf.h"

static enum hkdf_hash hash_of(enum aead_suite suite)
{
    return suite == AEAD_AES_256_GCM ? HKDF_SHA384 : HKDF_SHA256;
}

bool keys_expand_label(enum aead_suite suite, const uint8_t *secret, const char *label,
                       const uint8_t *context, size_t context_length, uint8_t *out, size_t length)
{
    enum hkdf_hash hash = hash_of(suite);
    return length <= (size_t)hash &&
           hkdf_expand_label(hash, secret, (struct hkdf_bytes){ label, strlen(label) },
                             (struct hkdf_bytes){ context, context_length }, out, length);
}

/* Fills in what follows from keys->secret. */
static bool derive(struct keys *keys)
{
    enum aead_suite suite = (enum aead_suite)keys->suite;

    keys->seq = 0;
    return keys_expand_label(suite, keys->secret, "key", NULL, 0, keys->key, aead_key_length(suite)) &&
           keys_expand_label(suite, keys->secret, "iv", NULL, 0, keys->iv, AEAD_NONCE);
}

bool keys_derive(struct keys *keys, enum aead_suite suite, const uint8_t *secret)
{
    memset(keys, 0, sizeof *keys);
    keys->suite = (uint8_t)suite;
    memcpy(keys->secret, secret, hash_of(suite));
    return derive(keys);
}

bool keys_update(struct keys *keys)
{
    enum aead_suite suite = (enum aead_suite)keys->suite;
    struct keys next = { .suite = keys->suite, .epoch = keys->epoch + 1 };
    bool ok = keys_expand_label(suite, keys->secret, "traffic upd", NULL, 0, next.secret, hash_of(suite)) &&
              derive(&next);

    if (ok)
        *keys = next;
    keys_wipe(&next);
    return ok;
}

void keys_nonce_of(const struct keys *keys, uint64_t seq, uint8_t nonce[AEAD_NONCE])
{
    uint64_t tail;

    /* Each part straight from the IV: to load what has just been stored in other pieces stalls a processor. */
    memcpy(&tail, keys->iv + 4, sizeof tail);
    tail ^= htobe64(seq);
    memcpy(nonce, keys->iv, 4);
    memcpy(nonce + 4, &tail, sizeof tail);
}

void keys_nonce(const struct keys *keys, uint8_t nonce[AEAD_NONCE])
{
    keys_nonce_of(keys, keys->seq, nonce);
}

void keys_wipe(struct keys *keys)
{
    OPENSSL_cleanse(keys, sizeof *keys);
}
