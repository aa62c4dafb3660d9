/* A trust domain's root, workload certificates from it, and ones that must not be believed. */
#include "bad.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/banned.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

struct leaf {
    const char *name, *uri;
    long from, to; /* seconds from now */
    enum { OURS, FOREIGN, SELF } issuer;
};

static const struct leaf leaves[] = {
    { "client", "spiffe://mesh.local/ns/default/sa/client", -HOUR, DAY, OURS },
    { "server", "spiffe://mesh.local/ns/default/sa/server", -HOUR, DAY, OURS },
    { "expired", "spiffe://mesh.local/ns/default/sa/client", -2 * DAY, -DAY, OURS },
    { "not_yet_valid", "spiffe://mesh.local/ns/default/sa/client", DAY, 2 * DAY, OURS },
    { "wrong_name", "spiffe://mesh.local/ns/default/sa/mallory", -HOUR, DAY, OURS },
    { "wrong_domain", "spiffe://evil.example/ns/default/sa/client", -HOUR, DAY, OURS },
    { "no_spiffe_id", NULL, -HOUR, DAY, OURS },
    { "foreign_ca", "spiffe://mesh.local/ns/default/sa/client", -HOUR, DAY, FOREIGN },
    { "self_signed", "spiffe://mesh.local/ns/default/sa/client", -HOUR, DAY, SELF },
};

static X509 *certificate(const char *name, EVP_PKEY *key, long from, long to)
{
    static long serial = 1;
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), time(NULL) + serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), from);
    X509_gmtime_adj(X509_getm_notAfter(x), to);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_pubkey(x, key);
    return x;
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension)
        X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
}

static struct authority authority_new(const char *name)
{
    struct authority ca = { EVP_EC_gen("P-256"), NULL };
    ca.certificate = certificate(name, ca.key, -HOUR, 10 * DAY);
    X509_set_issuer_name(ca.certificate, X509_get_subject_name(ca.certificate));
    extend(ca.certificate, ca.certificate, NID_basic_constraints, "critical,CA:TRUE");
    extend(ca.certificate, ca.certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(ca.certificate, ca.certificate, NID_subject_key_identifier, "hash");
    X509_sign(ca.certificate, ca.key, EVP_sha256());
    return ca;
}

static void authority_free(struct authority *ca)
{
    X509_free(ca->certificate);
    EVP_PKEY_free(ca->key);
}

static int save(const char *directory, const char *name, const char *ending, X509 *x, EVP_PKEY *key)
{
    char path[4096];
    FILE *f;
    int done;
    snprintf(path, sizeof path, "%s/%s.%s", directory, name, ending);
    f = fopen(path, "w");
    if (!f)
        return -1;
    done = x ? PEM_write_X509(f, x) : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    if (key)
        chmod(path, 0600);
    return fclose(f) == 0 && done == 1 ? 0 : -1;
}

static int make_leaf(const char *directory, const struct leaf *leaf, struct authority *ours,
                     struct authority *foreign)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = certificate(leaf->name, key, leaf->from, leaf->to);
    struct authority self = { key, x };
    struct authority *ca = leaf->issuer == OURS ? ours : leaf->issuer == FOREIGN ? foreign : &self;
    char uri[256];
    int result;
    X509_set_issuer_name(x, X509_get_subject_name(ca->certificate));
    extend(x, ca->certificate, NID_basic_constraints, "critical,CA:FALSE");
    extend(x, ca->certificate, NID_key_usage, "critical,digitalSignature");
    extend(x, ca->certificate, NID_ext_key_usage, "serverAuth,clientAuth");
    snprintf(uri, sizeof uri, "URI:%s", leaf->uri ? leaf->uri : "");
    extend(x, ca->certificate, NID_subject_alt_name, leaf->uri ? uri : "DNS:localhost");
    X509_sign(x, ca->key, EVP_sha256());
    result = save(directory, leaf->name, "pem", x, NULL) || save(directory, leaf->name, "key", NULL, key);
    X509_free(x);
    EVP_PKEY_free(key);
    return result;
}

int make_identities(const char *directory)
{
    struct authority ours = authority_new("meshshim test root"), foreign = authority_new("another root");
    int result = save(directory, "ca", "pem", ours.certificate, NULL) ||
                 save(directory, "ca", "key", NULL, ours.key) ||
                 save(directory, "foreign-ca", "pem", foreign.certificate, NULL);
    for (size_t i = 0; !result && i < sizeof leaves / sizeof leaves[0]; i++)
        result = make_leaf(directory, &leaves[i], &ours, &foreign);
    if (result)
        fprintf(stderr, "badpeer: cannot write identities to %s: %s\n", directory, strerror(errno));
    authority_free(&ours);
    authority_free(&foreign);
    return result;
}
