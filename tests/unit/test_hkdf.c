/* HMAC and HKDF by the vectors of RFC 4231, 5869 and 8448; the key schedule and the exporter against OpenSSL's own. */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include "certs.c"
#include "check.h"
#include "hex.h"
#include "tls/hkdf.h"

static struct hkdf_bytes text(const char *words)
{
    return (struct hkdf_bytes){ words, strlen(words) };
}

static void check_hmac(enum hkdf_hash hash, struct hkdf_bytes key, struct hkdf_bytes data,
                       const char *expected)
{
    /* However the data is cut, the answer is one. */
    const struct hkdf_bytes whole[3] = { data }, parts[3] = {
        { data.at, 1 }, { (const char *)data.at + 1, 2 }, { (const char *)data.at + 3, data.length - 3 }
    };
    uint8_t out[HKDF_LONGEST];
    hkdf_hmac(hash, key, whole, out);
    CU_ASSERT_TRUE(hex_equal(expected, out));
    hkdf_hmac(hash, key, parts, out);
    CU_ASSERT_TRUE(hex_equal(expected, out));
}

static void rfc4231(void)
{
    uint8_t key[20];
    memset(key, 0x0b, sizeof key);
    check_hmac(HKDF_SHA256, (struct hkdf_bytes){ key, sizeof key }, text("Hi There"),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac(
        HKDF_SHA384, (struct hkdf_bytes){ key, sizeof key }, text("Hi There"),
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6");
    check_hmac(HKDF_SHA256, text("Jefe"), text("what do ya want for nothing?"),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_hmac(
        HKDF_SHA384, text("Jefe"), text("what do ya want for nothing?"),
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
}

static void extracting(void)
{
    uint8_t ikm[22], salt[13], zeros[32] = { 0 }, out[32];
    memset(ikm, 0x0b, sizeof ikm);
    hex_read("000102030405060708090a0b0c", salt);
    hkdf_extract(HKDF_SHA256, (struct hkdf_bytes){ salt, 13 }, (struct hkdf_bytes){ ikm, 22 },
                 out); /* RFC 5869 A.1 */
    CU_ASSERT_TRUE(hex_equal("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", out));
    hkdf_extract(HKDF_SHA256, text(""), (struct hkdf_bytes){ zeros, 32 },
                 out); /* RFC 8448 §3, early secret */
    CU_ASSERT_TRUE(hex_equal("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a", out));
}

static void too_long(void)
{
    static uint8_t out[256 * 48];
    static char label[300];
    uint8_t secret[48] = { 0 };
    memset(label, 'l', sizeof label);
    CU_ASSERT_FALSE(
        hkdf_expand_label(HKDF_SHA256, secret, (struct hkdf_bytes){ label, 250 }, text(""), out, 32));
    CU_ASSERT_TRUE(
        hkdf_expand_label(HKDF_SHA256, secret, (struct hkdf_bytes){ label, 249 }, text(""), out, 32));
    CU_ASSERT_FALSE(
        hkdf_expand_label(HKDF_SHA256, secret, text("l"), (struct hkdf_bytes){ label, 256 }, out, 32));
    CU_ASSERT_TRUE(
        hkdf_expand_label(HKDF_SHA256, secret, text("l"), (struct hkdf_bytes){ label, 255 }, out, 32));
    CU_ASSERT_FALSE(hkdf_expand_label(HKDF_SHA384, secret, text("l"), text(""), out, 255 * 48 + 1));
    CU_ASSERT_TRUE(hkdf_expand_label(HKDF_SHA384, secret, text("l"), text(""), out, 255 * 48));
}

/* ---- in OpenSSL's place ---- */

EVP_KDF *__wrap_EVP_KDF_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties);
EVP_KDF_CTX *__wrap_EVP_KDF_CTX_new(EVP_KDF *kdf);
int __wrap_EVP_KDF_derive(EVP_KDF_CTX *context, unsigned char *key, size_t length, const OSSL_PARAM params[]);
unsigned char *__wrap_EVP_Q_mac(OSSL_LIB_CTX *library, const char *name, const char *properties,
                                const char *digest, const OSSL_PARAM *params, const void *key,
                                size_t key_length, const unsigned char *data, size_t data_length,
                                unsigned char *out, size_t room, size_t *length);

struct asked {
    int mode;
    char digest[16], prefix[8];
    uint8_t key[48], salt[48], label[32], data[64];
    OSSL_PARAM params[8];
};

static void add_octets(OSSL_PARAM **p, const char *name, uint8_t *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        at[i] = (uint8_t)rand();
    *(*p)++ = OSSL_PARAM_construct_octet_string(name, at, length);
}

/* As tls13_hkdf_expand and tls13_generate_secret ask. */
static void ask(struct asked *a, bool extracts, size_t hash, unsigned variant)
{
    OSSL_PARAM *p = a->params;
    a->mode = extracts ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY : EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    snprintf(a->digest, sizeof a->digest, "%s%s", variant & 1 ? "SHA2-" : "SHA", hash == 32 ? "256" : "384");
    snprintf(a->prefix, sizeof a->prefix, "tls13 ");
    *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &a->mode);
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, a->digest, 0);
    if (!extracts || variant & 2)
        add_octets(&p, OSSL_KDF_PARAM_KEY, a->key, extracts && variant & 8 ? 32 : hash);
    if (extracts && variant & 4)
        add_octets(&p, OSSL_KDF_PARAM_SALT, a->salt, hash);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, a->prefix, 6);
    add_octets(&p, OSSL_KDF_PARAM_LABEL, a->label, extracts ? 7 : 1 + variant % 20);
    if (!extracts && variant & 2)
        add_octets(&p, OSSL_KDF_PARAM_DATA, a->data, variant & 8 ? hash : 0);
    *p = OSSL_PARAM_construct_end();
}

static void the_schedule_is_openssls(void)
{
    EVP_KDF *theirs = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL),
            *ours = __wrap_EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
    srand(1);
    for (unsigned i = 0; i < 400; i++) {
        size_t hash = i & 1 ? 32 : 48;
        EVP_KDF_CTX *context = EVP_KDF_CTX_new(theirs);
        uint8_t expected[48] = { 1 }, got[48] = { 2 };
        struct asked a;
        ask(&a, i & 2, hash, i >> 2);
        CU_ASSERT_EQUAL_FATAL(EVP_KDF_derive(context, expected, hash, a.params), 1);
        CU_ASSERT_EQUAL(__wrap_EVP_KDF_derive(__wrap_EVP_KDF_CTX_new(ours), got, hash, a.params), 1);
        CU_ASSERT_EQUAL(memcmp(expected, got, hash), 0);
        EVP_KDF_CTX_free(context);
    }
    EVP_KDF_free(theirs);
}

static void finished_is_openssls(void)
{
    for (size_t hash = 32; hash <= 48; hash += 16) {
        const char *name = hash == 32 ? "SHA256" : "SHA2-384";
        uint8_t key[48] = { 7 }, data[48] = { 9 }, expected[64], got[64];
        size_t expected_length = 0, got_length = 0;
        CU_ASSERT_PTR_NOT_NULL(EVP_Q_mac(NULL, "HMAC", NULL, name, NULL, key, hash, data, hash, expected,
                                         sizeof expected, &expected_length));
        CU_ASSERT_PTR_EQUAL(__wrap_EVP_Q_mac(NULL, "HMAC", NULL, name, NULL, key, hash, data, hash, got,
                                             sizeof got, &got_length),
                            got);
        CU_ASSERT_EQUAL(got_length, expected_length);
        CU_ASSERT_EQUAL(memcmp(expected, got, hash), 0);
    }
}

/* ---- the exporter, of a connection of OpenSSL with itself ---- */

static uint8_t exporter[48];

static void on_key(const SSL *ssl, const char *line)
{
    (void)ssl;
    if (strncmp(line, "EXPORTER_SECRET ", 16) == 0)
        hex_read(strrchr(line, ' ') + 1, exporter);
}

static SSL *end_of(SSL_CTX *context, BIO *in, BIO *out, const char *suite)
{
    SSL *ssl = SSL_new(context);
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl, in, out);
    CU_ASSERT_EQUAL(SSL_set_ciphersuites(ssl, suite), 1);
    return ssl;
}

static void check_exporter(SSL_CTX *context, const char *suite, enum hkdf_hash hash)
{
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    SSL *client = end_of(context, down, up, suite), *server = end_of(context, up, down, suite);
    uint8_t expected[100], got[100];
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int i = 0; i < 4; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    for (size_t length = 1; length <= sizeof got; length += 11) {
        CU_ASSERT_EQUAL(SSL_export_keying_material(client, expected, length, "EXPORTER-x", 10,
                                                   (const unsigned char *)"about", 5, 1),
                        1);
        CU_ASSERT_TRUE(hkdf_export(hash, exporter, text("EXPORTER-x"), text("about"), got, length));
        CU_ASSERT_EQUAL(memcmp(expected, got, length), 0);
    }
    SSL_free(client);
    SSL_free(server);
    BIO_free(up);
    BIO_free(down);
}

static void the_exporter_is_openssls(void)
{
    struct cert cert = cert_make(&(struct cert_spec){ .name = "one" });
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL_CTX_use_certificate(context, cert.x509);
    SSL_CTX_use_PrivateKey(context, cert.key);
    SSL_CTX_set_keylog_callback(context, on_key);
    check_exporter(context, "TLS_AES_128_GCM_SHA256", HKDF_SHA256);
    check_exporter(context, "TLS_AES_256_GCM_SHA384", HKDF_SHA384);
    SSL_CTX_free(context);
    cert_free(&cert);
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "RFC 4231", rfc4231 },
        { "extracting", extracting },
        { "too long", too_long },
        { "the schedule is OpenSSL's", the_schedule_is_openssls },
        { "Finished is OpenSSL's", finished_is_openssls },
        { "the exporter is OpenSSL's", the_exporter_is_openssls },
        CU_TEST_INFO_NULL,
    };
    return check_run("hkdf", tests);
}
