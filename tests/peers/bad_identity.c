/* A trust domain's root, workload certificates from it, and ones that must not be believed. */
#include "bad_identity.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bad_cases.h"

#include "base/banned.h"

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
    extension = *value ? X509V3_EXT_conf_nid(NULL, &context, nid, value) : NULL;
    if (extension)
        X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
}

struct authority authority_new(const char *name, const struct authority *above, const char *basic,
                               const char *permitted, long to, EVP_PKEY *key)
{
    struct authority ca = { key ? key : EVP_EC_gen("P-256"), NULL, above };
    const struct authority *issuer = above ? above : &ca;
    if (key)
        EVP_PKEY_up_ref(key);
    ca.certificate = certificate(name, ca.key, to < 0 ? 2 * to : -HOUR, to);
    X509_set_issuer_name(ca.certificate, X509_get_subject_name(issuer->certificate));
    extend(ca.certificate, issuer->certificate, NID_basic_constraints, basic);
    extend(ca.certificate, issuer->certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(ca.certificate, issuer->certificate, NID_subject_key_identifier, "hash");
    extend(ca.certificate, issuer->certificate, NID_name_constraints, permitted);
    X509_sign(ca.certificate, issuer->key, EVP_sha256());
    return ca;
}

void authority_free(struct authority *ca)
{
    X509_free(ca->certificate);
    EVP_PKEY_free(ca->key);
}

static FILE *open_file(const char *directory, const char *name, const char *ending, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", directory, name, ending);
    return fopen(path, mode);
}

int authority_load(struct authority *ca, const char *directory, const char *name)
{
    FILE *x = open_file(directory, name, "pem", "r"), *key = open_file(directory, name, "key", "r");
    *ca = (struct authority){ NULL, NULL, NULL };
    if (x && key) {
        ca->certificate = PEM_read_X509(x, NULL, NULL, NULL);
        ca->key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
    }
    if (x)
        fclose(x);
    if (key)
        fclose(key);
    return ca->certificate && ca->key ? 0 : -1;
}

/* The certificate and those above it, or the key. */
static int save(const char *directory, const char *name, X509 *x, const struct authority *above,
                EVP_PKEY *key)
{
    FILE *f = open_file(directory, name, x ? "pem" : "key", "w");
    int done;
    if (!f)
        return -1;
    if (key)
        fchmod(fileno(f), 0600);
    done = x ? PEM_write_X509(f, x) : PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    for (; above && above->above; above = above->above)
        PEM_write_X509(f, above->certificate);
    return fclose(f) == 0 && done == 1 ? 0 : -1;
}

static EVP_PKEY *key_of(const char *kind)
{
    if (kind && strncmp(kind, "RSA", 3) == 0)
        return EVP_RSA_gen((unsigned)strtoul(kind + 3, NULL, 10));
    return EVP_EC_gen(kind ? kind : "P-256");
}

/* Names in which a byte 0 stands where `@` does. */
static void put_nuls(X509 *x)
{
    ASN1_OCTET_STRING *data =
        X509_EXTENSION_get_data(X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1)));
    for (int i = 0; i < data->length; i++)
        if (data->data[i] == '@')
            data->data[i] = 0;
}

/* Critical, and of a kind that nobody knows. */
static void extend_unknown(X509 *x, const char *oid)
{
    ASN1_OBJECT *kind = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
    X509_EXTENSION *unknown;
    ASN1_OCTET_STRING_set(content, (const unsigned char *)"\5", 2);
    unknown = X509_EXTENSION_create_by_OBJ(NULL, kind, 1, content);
    X509_add_ext(x, unknown, -1);
    X509_EXTENSION_free(unknown);
    ASN1_OCTET_STRING_free(content);
    ASN1_OBJECT_free(kind);
}

static const char * or (const char *given, const char *usual)
{
    return given ? given : usual;
}

int make_leaf(const char *directory, const struct leaf *leaf)
{
    EVP_PKEY *key = key_of(leaf->key);
    X509 *x = certificate(leaf->name, key, leaf->from, leaf->to);
    struct authority self = { key, x, NULL };
    const struct authority *ca = leaf->issuer ? leaf->issuer : &self;
    int result;
    X509_set_issuer_name(x, X509_get_subject_name(ca->certificate));
    extend(x, ca->certificate, NID_basic_constraints, or (leaf->basic, "critical,CA:FALSE"));
    extend(x, ca->certificate, NID_key_usage, or (leaf->usage, "critical,digitalSignature"));
    extend(x, ca->certificate, NID_ext_key_usage, or (leaf->purpose, "serverAuth,clientAuth"));
    extend(x, ca->certificate, NID_subject_alt_name, leaf->names);
    if (leaf->unknown)
        extend_unknown(x, leaf->unknown);
    if (strchr(leaf->names, '@'))
        put_nuls(x);
    X509_sign(x, ca->key, leaf->digest ? leaf->digest() : EVP_sha256());
    result = save(directory, leaf->name, x, ca, NULL) || save(directory, leaf->name, NULL, NULL, key);
    X509_free(x);
    EVP_PKEY_free(key);
    return result;
}

int make_identities(const char *directory)
{
    struct authority ours = authority_new("meshshim test root", NULL, "critical,CA:TRUE", "", 10 * DAY, NULL);
    struct authority foreign = authority_new("another root", NULL, "critical,CA:TRUE", "", 10 * DAY, NULL);
    const struct leaf leaves[] = {
        { "client", "URI:spiffe://mesh.local/ns/default/sa/client", -HOUR, DAY, .issuer = &ours },
        { "server", "URI:spiffe://mesh.local/ns/default/sa/server", -HOUR, DAY, .issuer = &ours },
        { "expired", "URI:spiffe://mesh.local/ns/default/sa/client", -2 * DAY, -DAY, .issuer = &ours },
        { "not_yet_valid", "URI:spiffe://mesh.local/ns/default/sa/client", DAY, 2 * DAY, .issuer = &ours },
        { "wrong_name", "URI:spiffe://mesh.local/ns/default/sa/mallory", -HOUR, DAY, .issuer = &ours },
        { "wrong_domain", "URI:spiffe://evil.example/ns/default/sa/client", -HOUR, DAY, .issuer = &ours },
        { "no_spiffe_id", "DNS:localhost", -HOUR, DAY, .issuer = &ours },
        { "foreign_ca", "URI:spiffe://mesh.local/ns/default/sa/client", -HOUR, DAY, .issuer = &foreign },
        { "self_signed", "URI:spiffe://mesh.local/ns/default/sa/client", -HOUR, DAY, .issuer = NULL },
    };
    int result = save(directory, "ca", ours.certificate, NULL, NULL) ||
                 save(directory, "ca", NULL, NULL, ours.key) ||
                 save(directory, "foreign-ca", foreign.certificate, NULL, NULL);
    for (size_t i = 0; !result && i < sizeof leaves / sizeof leaves[0]; i++)
        result = make_leaf(directory, &leaves[i]);
    if (result)
        fprintf(stderr, "badpeer: cannot write identities to %s: %s\n", directory, strerror(errno));
    authority_free(&ours);
    authority_free(&foreign);
    return result;
}

int mint_short(const char *directory, int seconds, time_t *end)
{
    struct authority ca;
    const struct leaf leaf = { "short", "URI:spiffe://mesh.local/ns/default/sa/client", -HOUR, seconds,
                               .issuer = &ca };
    int result;
    if (authority_load(&ca, directory, "ca"))
        return -1;
    *end = time(NULL) + seconds;
    result = make_leaf(directory, &leaf);
    authority_free(&ca);
    return result;
}
