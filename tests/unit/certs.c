/* See certs.h. Included by the tests that need it. */
#include "certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

static void extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    if (!value)
        return;
    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

static void fill(X509 *x509, const struct cert_spec *spec, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(x509);
    unsigned char serial[8];

    RAND_bytes(serial, sizeof serial);
    serial[0] &= 0x7f;
    X509_set_version(x509, X509_VERSION_3);
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
    BN_free(number);
    X509_gmtime_adj(X509_getm_notBefore(x509), spec->from ? spec->from : -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), spec->until ? spec->until : 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)spec->name, -1, -1, 0);
    X509_set_issuer_name(x509, spec->issuer ? X509_get_subject_name(spec->issuer->x509) : name);
    X509_set_pubkey(x509, key);
}

struct cert cert_make(const struct cert_spec *spec)
{
    struct cert cert;
    X509 *issuer;

    cert.key = spec->rsa_bits ? EVP_RSA_gen(spec->rsa_bits) : EVP_EC_gen("P-256");
    cert.x509 = X509_new();
    fill(cert.x509, spec, cert.key);
    issuer = spec->issuer ? spec->issuer->x509 : cert.x509;
    extend(cert.x509, issuer, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(cert.x509, issuer, NID_key_usage, spec->ca ? "critical,keyCertSign" : "critical,digitalSignature");
    extend(cert.x509, issuer, NID_subject_key_identifier, "hash");
    extend(cert.x509, issuer, NID_authority_key_identifier, spec->by_name ? NULL : "keyid");
    extend(cert.x509, issuer, NID_subject_alt_name, spec->alt);
    extend(cert.x509, issuer, NID_ext_key_usage, spec->usage);
    X509_sign(cert.x509, spec->issuer ? spec->issuer->key : cert.key, EVP_sha256());
    return cert;
}

void cert_free(struct cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
}

static char *text_of(BIO *bio)
{
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)length);
    BIO_free(bio);
    return text;
}

char *cert_chain_pem(const struct cert *const *certs, int count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    for (int i = 0; i < count; i++)
        PEM_write_bio_X509(bio, certs[i]->x509);
    return text_of(bio);
}

char *cert_key_pem(const struct cert *cert, enum cert_key_form form)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char phrase[] = "secret";

    if (form == KEY_TRADITIONAL)
        PEM_write_bio_PrivateKey_traditional(bio, cert->key, NULL, NULL, 0, NULL, NULL);
    else if (form == KEY_ENCRYPTED)
        PEM_write_bio_PKCS8PrivateKey(bio, cert->key, EVP_aes_128_cbc(), phrase, (int)strlen(phrase), NULL,
                                      NULL);
    else
        PEM_write_bio_PKCS8PrivateKey(bio, cert->key, NULL, NULL, 0, NULL, NULL);
    return text_of(bio);
}

static struct pem_file pem_file(const char *path, char *text)
{
    struct pem_file file = { strdup(path), text, text ? strlen(text) : 0, 0 };
    return file;
}

struct workload *cert_workload(const char *name, char *certificate, char *key, char *bundle)
{
    struct workload *workload = calloc(1, sizeof *workload);

    workload->name = strdup(name);
    workload->namespace_ = strdup("default");
    workload->trust_domain = strdup("mesh.local");
    if (asprintf(&workload->spiffe_id, "spiffe://mesh.local/ns/default/sa/%s", name) < 0)
        workload->spiffe_id = NULL;
    workload->certificate = pem_file("/etc/test/cert.pem", certificate);
    workload->private_key = pem_file("/etc/test/key.pem", key);
    workload->trust_bundle = pem_file("/etc/test/ca.pem", bundle);
    return workload;
}

static void pem_free(struct pem_file *file)
{
    free(file->path);
    free(file->text);
}

void cert_workload_free(struct workload *workload)
{
    pem_free(&workload->certificate);
    pem_free(&workload->private_key);
    pem_free(&workload->trust_bundle);
    free(workload->name);
    free(workload->namespace_);
    free(workload->trust_domain);
    free(workload->spiffe_id);
    free(workload);
}
