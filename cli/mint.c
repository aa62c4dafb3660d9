/* See mint.h. */
#include "mint.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/banned.h"

static bool random_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool done = number && BN_rand(number, 128, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
                BN_set_bit(number, 0) && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return done;
}

X509 *mint_new(EVP_PKEY *key, struct validity validity)
{
    X509 *certificate = X509_new();
    if (certificate && X509_set_version(certificate, X509_VERSION_3) && random_serial(certificate) &&
        ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)validity.not_before) &&
        ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)validity.not_after) &&
        X509_set_pubkey(certificate, key))
        return certificate;
    X509_free(certificate);
    return NULL;
}

static bool name_entry(X509_NAME *name, const char *field, const char *value)
{
    const unsigned char *bytes = (const unsigned char *)value;
    size_t length = strlen(value);
    if (length == 0 || length > 64)
        return true;
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes, (int)length, -1, 0) == 1;
}

bool mint_subject(X509 *certificate, const char *organization, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return name_entry(name, "O", organization) && name_entry(name, "CN", common_name);
}

bool mint_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool added;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

bool mint_sign(X509 *certificate, X509 *issuer, EVP_PKEY *issuer_key)
{
    return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           mint_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           mint_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           X509_sign(certificate, issuer_key, EVP_sha256()) > 0;
}

static bool take(BIO *bio, bool written, struct buf *out)
{
    char *data = NULL;
    long length = bio ? BIO_get_mem_data(bio, &data) : 0;
    if (written && length > 0)
        buf_append(out, data, (size_t)length);
    BIO_free(bio); /* wipes its memory: a private key may have been there */
    return written && !out->failed;
}

bool mint_certificate_pem(X509 *certificate, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return take(bio, bio && PEM_write_bio_X509(bio, certificate) == 1, out);
}

bool mint_key_pem(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return take(bio, bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, out);
}

int64_t mint_seconds(const ASN1_TIME *time)
{
    struct tm tm = { 0 };
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : INT64_MIN;
}
