/*
 * OpenSSL's key schedule (RFC 8446 §7.1) computed by hkdf.c: where it is linked in statically, the linker puts these in place of what
 * its libssl calls (Makefile: --wrap). OpenSSL 3.0 looks up a KDF, a MAC and a digest by name for each of some twenty secrets, and
 * allocates six objects; that is a third of a resumed handshake. What is not exactly as its libssl asks goes to OpenSSL.
 */
#include "tls/schedule.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/banned.h"

/* From 3.2 on its libssl is written otherwise. */
#define IS_KNOWN (OPENSSL_VERSION_NUMBER >= 0x30000000L && OPENSSL_VERSION_NUMBER < 0x30200000L)

EVP_KDF *__real_EVP_KDF_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties)
    __attribute__((weak));
void __real_EVP_KDF_free(EVP_KDF *kdf) __attribute__((weak));
EVP_KDF_CTX *__real_EVP_KDF_CTX_new(EVP_KDF *kdf) __attribute__((weak));
void __real_EVP_KDF_CTX_free(EVP_KDF_CTX *context) __attribute__((weak));
int __real_EVP_KDF_derive(EVP_KDF_CTX *context, unsigned char *key, size_t length, const OSSL_PARAM params[])
    __attribute__((weak));
unsigned char *__real_EVP_Q_mac(OSSL_LIB_CTX *library, const char *name, const char *properties,
                                const char *digest, const OSSL_PARAM *params, const void *key,
                                size_t key_length, const unsigned char *data, size_t data_length,
                                unsigned char *out, size_t room, size_t *length) __attribute__((weak));

EVP_KDF *__wrap_EVP_KDF_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties);
void __wrap_EVP_KDF_free(EVP_KDF *kdf);
EVP_KDF_CTX *__wrap_EVP_KDF_CTX_new(EVP_KDF *kdf);
void __wrap_EVP_KDF_CTX_free(EVP_KDF_CTX *context);
int __wrap_EVP_KDF_derive(EVP_KDF_CTX *context, unsigned char *key, size_t length, const OSSL_PARAM params[]);
unsigned char *__wrap_EVP_Q_mac(OSSL_LIB_CTX *library, const char *name, const char *properties,
                                const char *digest, const OSSL_PARAM *params, const void *key,
                                size_t key_length, const unsigned char *data, size_t data_length,
                                unsigned char *out, size_t room, size_t *length);

/* What stands for TLS13-KDF and for each context of it: they hold nothing. */
static char ours;

static bool is_ours(const void *object)
{
    return object == (const void *)&ours;
}

EVP_KDF *__wrap_EVP_KDF_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties)
{
    if (IS_KNOWN && !library && !properties && name && strcmp(name, OSSL_KDF_NAME_TLS1_3_KDF) == 0)
        return (EVP_KDF *)(void *)&ours;
    return __real_EVP_KDF_fetch(library, name, properties);
}

void __wrap_EVP_KDF_free(EVP_KDF *kdf)
{
    if (!is_ours(kdf))
        __real_EVP_KDF_free(kdf);
}

EVP_KDF_CTX *__wrap_EVP_KDF_CTX_new(EVP_KDF *kdf)
{
    return is_ours(kdf) ? (EVP_KDF_CTX *)(void *)&ours : __real_EVP_KDF_CTX_new(kdf);
}

void __wrap_EVP_KDF_CTX_free(EVP_KDF_CTX *context)
{
    if (!is_ours(context))
        __real_EVP_KDF_CTX_free(context);
}

/* ---- what is asked for ---- */

struct question {
    int mode;
    const char *digest;
    struct hkdf_bytes key, salt, prefix, label, data;
};

static bool read_one(struct question *q, const OSSL_PARAM *p)
{
    const struct {
        const char *name;
        struct hkdf_bytes *into;
    } octets[] = {
        { OSSL_KDF_PARAM_KEY, &q->key },       { OSSL_KDF_PARAM_SALT, &q->salt },
        { OSSL_KDF_PARAM_PREFIX, &q->prefix }, { OSSL_KDF_PARAM_LABEL, &q->label },
        { OSSL_KDF_PARAM_DATA, &q->data },
    };
    if (p->data_type == OSSL_PARAM_INTEGER && strcmp(p->key, OSSL_KDF_PARAM_MODE) == 0)
        return OSSL_PARAM_get_int(p, &q->mode) == 1;
    if (p->data_type == OSSL_PARAM_UTF8_STRING && strcmp(p->key, OSSL_KDF_PARAM_DIGEST) == 0) {
        q->digest = p->data;
        return true;
    }
    for (size_t i = 0; p->data_type == OSSL_PARAM_OCTET_STRING && i < sizeof octets / sizeof *octets; i++) {
        if (strcmp(p->key, octets[i].name) == 0) {
            *octets[i].into = (struct hkdf_bytes){ p->data, p->data_size };
            return true;
        }
    }
    return false;
}

static bool read_question(struct question *q, const OSSL_PARAM *params)
{
    memset(q, 0, sizeof *q);
    for (; params && params->key; params++)
        if (!read_one(q, params))
            return false;
    return q->prefix.length == 0 || (q->prefix.length == 6 && memcmp(q->prefix.at, "tls13 ", 6) == 0);
}

static bool hash_named(const char *name, enum hkdf_hash *hash)
{
    static const struct {
        const char *name;
        enum hkdf_hash hash;
    } names[] = {
        { "SHA2-256", HKDF_SHA256 },
        { "SHA256", HKDF_SHA256 },
        { "SHA2-384", HKDF_SHA384 },
        { "SHA384", HKDF_SHA384 },
    };
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i].name) == 0) {
            *hash = names[i].hash;
            return true;
        }
    }
    return false;
}

/* ---- the answer ---- */

static __thread struct schedule_catch *catcher;

void schedule_catch(struct schedule_catch *into)
{
    catcher = into;
}

static void let_be_caught(const struct question *q, const uint8_t *out, size_t length)
{
    if (!catcher || length > sizeof catcher->secret || q->label.length != 10 ||
        memcmp(q->label.at, "res master", 10) != 0)
        return;
    memcpy(catcher->secret, out, length);
    catcher->length = length;
}

static bool expand(const struct question *q, enum hkdf_hash hash, uint8_t *out, size_t length)
{
    bool good = q->key.length == (size_t)hash && !q->salt.at &&
                hkdf_expand_label(hash, q->key.at, q->label, q->data, out, length);
    if (good)
        let_be_caught(q, out, length);
    return good;
}

/* The next stage: the one before it, derived once more over no messages, is the salt. */
static bool extract(const struct question *q, enum hkdf_hash hash, uint8_t *out, size_t length)
{
    static const uint8_t zeros[HKDF_LONGEST];
    struct hkdf_bytes secret = q->key.at ? q->key : (struct hkdf_bytes){ zeros, hash }, salt = { NULL, 0 };
    uint8_t nothing[HKDF_LONGEST], derived[HKDF_LONGEST];
    bool good = length == (size_t)hash && !q->data.at && (!q->salt.at || q->salt.length == (size_t)hash);
    if (good && q->salt.at) {
        hkdf_digest(hash, (struct hkdf_bytes){ NULL, 0 }, nothing);
        good = hkdf_expand_label(hash, q->salt.at, q->label, (struct hkdf_bytes){ nothing, hash }, derived,
                                 hash);
        salt = (struct hkdf_bytes){ derived, hash };
    }
    if (good)
        hkdf_extract(hash, salt, secret, out);
    OPENSSL_cleanse(derived, sizeof derived);
    return good;
}

/* Something that its libssl does not ask today: by OpenSSL's own, after all. */
static int by_openssl(unsigned char *out, size_t length, const OSSL_PARAM params[])
{
    EVP_KDF *kdf = __real_EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
    EVP_KDF_CTX *context = kdf ? __real_EVP_KDF_CTX_new(kdf) : NULL;
    int result = context ? __real_EVP_KDF_derive(context, out, length, params) : 0;
    __real_EVP_KDF_CTX_free(context);
    __real_EVP_KDF_free(kdf);
    return result;
}

int __wrap_EVP_KDF_derive(EVP_KDF_CTX *context, unsigned char *out, size_t length, const OSSL_PARAM params[])
{
    struct question q;
    enum hkdf_hash hash;
    if (!is_ours(context))
        return __real_EVP_KDF_derive(context, out, length, params);
    if (read_question(&q, params) && hash_named(q.digest, &hash)) {
        if (q.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && expand(&q, hash, out, length))
            return 1;
        if (q.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && extract(&q, hash, out, length))
            return 1;
    }
    return by_openssl(out, length, params);
}

/* For Finished. */
unsigned char *__wrap_EVP_Q_mac(OSSL_LIB_CTX *library, const char *name, const char *properties,
                                const char *digest, const OSSL_PARAM *params, const void *key,
                                size_t key_length, const unsigned char *data, size_t data_length,
                                unsigned char *out, size_t room, size_t *length)
{
    const struct hkdf_bytes pieces[3] = { { data, data_length } };
    enum hkdf_hash hash;
    if (library || properties || params || !out || strcmp(name, "HMAC") != 0 || !hash_named(digest, &hash) ||
        key_length > 64 || room < (size_t)hash)
        return __real_EVP_Q_mac(library, name, properties, digest, params, key, key_length, data, data_length,
                                out, room, length);
    hkdf_hmac(hash, (struct hkdf_bytes){ key, key_length }, pieces, out);
    if (length)
        *length = hash;
    return out;
}
