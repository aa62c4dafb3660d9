/* See keys.h. */
#include "tls/keys.h"

#include <endian.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/banned.h"
#include "base/once.h"
#include "tls/openssl.h"

/* HMACs with the digest chosen but no key yet, copied for each use: fetching by name is what costs. */
static EVP_MAC_CTX *hmac_sha256, *hmac_sha384;
static struct once once;

static EVP_MAC_CTX *hmac_of(EVP_MAC *hmac, char *digest)
{
    OSSL_PARAM params[2] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    if (ctx && EVP_MAC_CTX_set_params(ctx, params) == 1)
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

static bool fetch(void)
{
    char sha256[] = "SHA256", sha384[] = "SHA384";
    EVP_MAC *hmac = openssl_start() ? EVP_MAC_fetch(NULL, "HMAC", NULL) : NULL;

    if (!hmac)
        return false;
    if (!hmac_sha256)
        hmac_sha256 = hmac_of(hmac, sha256);
    if (!hmac_sha384)
        hmac_sha384 = hmac_of(hmac, sha384);
    EVP_MAC_free(hmac);
    return hmac_sha256 && hmac_sha384;
}

static size_t hash_length(enum aead_suite suite)
{
    return suite == AEAD_AES_256_GCM ? 48 : 32;
}

static EVP_MAC_CTX *hmac_new(enum aead_suite suite)
{
    const EVP_MAC_CTX *chosen;

    if (!once_ready(&once, fetch))
        return NULL;
    chosen = suite == AEAD_AES_256_GCM ? hmac_sha384 : hmac_sha256;
    return EVP_MAC_CTX_dup(chosen);
}

/* RFC 8446 §7.1's HkdfLabel and the counter byte of RFC 5869 behind it. */
static size_t hkdf_label(const char *label, const uint8_t *context, size_t context_length, size_t length,
                         uint8_t *info)
{
    size_t label_length = strlen(label), n = 0;

    info[n++] = (uint8_t)(length >> 8);
    info[n++] = (uint8_t)length;
    info[n++] = (uint8_t)(6 + label_length);
    memcpy(info + n, "tls13 ", 6);
    memcpy(info + n + 6, label, label_length);
    n += 6 + label_length;
    info[n++] = (uint8_t)context_length;
    if (context_length)
        memcpy(info + n, context, context_length);
    n += context_length;
    info[n++] = 1;
    return n;
}

/* TLS never asks for more than one block of the hash, so HKDF-Expand is a single HMAC. */
static bool expand(EVP_MAC_CTX *hmac, size_t hash, const uint8_t *secret, const char *label,
                   const uint8_t *context, size_t context_length, uint8_t *out, size_t length)
{
    uint8_t info[3 + 255 + 1 + 255 + 1], block[KEYS_SECRET];
    size_t n, made;
    bool ok;

    if (length > hash || strlen(label) > 255 - 6 || context_length > 255)
        return false;
    n = hkdf_label(label, context, context_length, length, info);
    ok = EVP_MAC_init(hmac, secret, hash, NULL) == 1 && EVP_MAC_update(hmac, info, n) == 1 &&
         EVP_MAC_final(hmac, block, &made, sizeof block) == 1;
    if (ok)
        memcpy(out, block, length);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

bool keys_expand_label(enum aead_suite suite, const uint8_t *secret, const char *label,
                       const uint8_t *context, size_t context_length, uint8_t *out, size_t length)
{
    EVP_MAC_CTX *hmac = hmac_new(suite);
    bool ok = hmac && expand(hmac, hash_length(suite), secret, label, context, context_length, out, length);
    EVP_MAC_CTX_free(hmac);
    return ok;
}

/* Fills in what follows from keys->secret. */
static bool derive(struct keys *keys, EVP_MAC_CTX *hmac)
{
    enum aead_suite suite = (enum aead_suite)keys->suite;
    size_t hash = hash_length(suite);

    keys->seq = 0;
    return expand(hmac, hash, keys->secret, "key", NULL, 0, keys->key, aead_key_length(suite)) &&
           expand(hmac, hash, keys->secret, "iv", NULL, 0, keys->iv, AEAD_NONCE);
}

bool keys_derive(struct keys *keys, enum aead_suite suite, const uint8_t *secret)
{
    EVP_MAC_CTX *hmac = hmac_new(suite);
    bool ok;

    memset(keys, 0, sizeof *keys);
    keys->suite = (uint8_t)suite;
    memcpy(keys->secret, secret, hash_length(suite));
    ok = hmac && derive(keys, hmac);
    EVP_MAC_CTX_free(hmac);
    return ok;
}

bool keys_update(struct keys *keys)
{
    enum aead_suite suite = (enum aead_suite)keys->suite;
    struct keys next = { .suite = keys->suite, .epoch = keys->epoch + 1 };
    EVP_MAC_CTX *hmac = hmac_new(suite);
    size_t hash = hash_length(suite);
    bool ok = hmac && expand(hmac, hash, keys->secret, "traffic upd", NULL, 0, next.secret, hash) &&
              derive(&next, hmac);

    if (ok)
        *keys = next;
    EVP_MAC_CTX_free(hmac);
    keys_wipe(&next);
    return ok;
}

void keys_nonce(const struct keys *keys, uint8_t nonce[AEAD_NONCE])
{
    uint64_t seq = htobe64(keys->seq), tail;

    memcpy(nonce, keys->iv, AEAD_NONCE);
    memcpy(&tail, nonce + 4, sizeof tail);
    tail ^= seq;
    memcpy(nonce + 4, &tail, sizeof tail);
}

void keys_wipe(struct keys *keys)
{
    OPENSSL_cleanse(keys, sizeof *keys);
}
