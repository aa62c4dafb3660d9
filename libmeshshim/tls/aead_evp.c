/* The AEADs by OpenSSL's EVP. See aead_engine.h. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/banned.h"
#include "base/once.h"
#include "tls/aead_engine.h"
#include "tls/openssl.h"

struct evp_aead {
    struct aead common;
    EVP_CIPHER_CTX *cipher;
};

static const char *const cipher_names[AEAD_SUITES] = {
    [AEAD_AES_128_GCM] = "AES-128-GCM",
    [AEAD_AES_256_GCM] = "AES-256-GCM",
    [AEAD_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
};
static EVP_CIPHER *ciphers[AEAD_SUITES];
static struct once once;

/* A fetch searches the providers by name: dear, so once a process. */
static bool fetch(void)
{
    bool start = openssl_start(), all = start;
    for (int i = 0; start && i < AEAD_SUITES; i++) {
        if (!ciphers[i])
            ciphers[i] = EVP_CIPHER_fetch(NULL, cipher_names[i], NULL);
        all = all && ciphers[i];
    }
    return all;
}

static struct evp_aead *of(struct aead *aead)
{
    return (struct evp_aead *)aead;
}

static void evp_destroy(struct aead *aead)
{
    EVP_CIPHER_CTX_free(of(aead)->cipher); /* wipes the key schedule */
    free(aead);
}

static struct aead *evp_create(enum aead_suite suite, const uint8_t *key)
{
    struct evp_aead *aead;
    bool made;

    if (!once_ready(&once, fetch) && !ciphers[suite])
        return NULL;
    aead = calloc(1, sizeof *aead);
    if (!aead)
        return NULL;
    openssl_secretly(true);
    aead->cipher = EVP_CIPHER_CTX_new();
    /* The schedules of GCM and ChaCha20-Poly1305 serve both directions: begin says which. */
    made = aead->cipher && EVP_CipherInit_ex2(aead->cipher, ciphers[suite], key, NULL, 1, NULL) == 1;
    openssl_secretly(false);
    if (made)
        return &aead->common;
    evp_destroy(&aead->common);
    return NULL;
}

static bool evp_begin(struct aead *aead, bool sealing, const uint8_t *nonce, const uint8_t *aad,
                      size_t aad_length)
{
    EVP_CIPHER_CTX *cipher = of(aead)->cipher;
    int n;

    if (EVP_CipherInit_ex2(cipher, NULL, NULL, nonce, sealing, NULL) != 1)
        return false;
    return aad_length == 0 || EVP_CipherUpdate(cipher, NULL, &n, aad, (int)aad_length) == 1;
}

static bool evp_update(struct aead *aead, const uint8_t *in, size_t n, uint8_t *out)
{
    int done;
    return EVP_CipherUpdate(of(aead)->cipher, out, &done, in, (int)n) == 1;
}

static bool evp_finish_seal(struct aead *aead, uint8_t tag[AEAD_TAG])
{
    OSSL_PARAM params[2] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, AEAD_TAG),
        OSSL_PARAM_construct_end(),
    };
    uint8_t none[AEAD_TAG];
    int n;

    return EVP_CipherFinal_ex(of(aead)->cipher, none, &n) == 1 &&
           EVP_CIPHER_CTX_get_params(of(aead)->cipher, params) == 1;
}

static bool evp_finish_open(struct aead *aead, const uint8_t tag[AEAD_TAG])
{
    uint8_t copy[AEAD_TAG], none[AEAD_TAG];
    OSSL_PARAM params[2] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, copy, AEAD_TAG),
        OSSL_PARAM_construct_end(),
    };
    int n;

    memcpy(copy, tag, AEAD_TAG);
    return EVP_CIPHER_CTX_set_params(of(aead)->cipher, params) == 1 &&
           EVP_CipherFinal_ex(of(aead)->cipher, none, &n) == 1;
}

static bool evp_available(void)
{
    return true;
}

const struct aead_engine aead_evp = {
    .name = "OpenSSL EVP",
    .suites = (1U << AEAD_SUITES) - 1,
    .available = evp_available,
    .create = evp_create,
    .destroy = evp_destroy,
    .begin = evp_begin,
    .update = evp_update,
    .finish_seal = evp_finish_seal,
    .finish_open = evp_finish_open,
};
