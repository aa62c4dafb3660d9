/* See authority.h. */
#include "authority.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/file.h"
#include "files.h"

#include "base/banned.h"

struct authority {
    X509 *root;
    EVP_PKEY *key;
    char trust_domain[256];
};

static bool only(const char *text, const char *allowed)
{
    return strspn(text, allowed) == strlen(text);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"

bool authority_trust_domain_valid(const char *text)
{
    return *text && strlen(text) < 256 && only(text, LOWER ".-_");
}

bool authority_segment_valid(const char *text)
{
    return *text && strlen(text) < 64 && only(text, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") &&
           strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static bool is_address(const char *text)
{
    unsigned char address[16];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

bool authority_host_valid(const char *text)
{
    const char *rest = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
    if (is_address(text))
        return true;
    return *rest && strlen(text) < 254 && only(rest, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_");
}

/* What OpenSSL said last, as a sentence's end. */
static bool failed(struct buf *why, const char *doing)
{
    char text[160];
    ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
    ERR_clear_error();
    buf_printf(why, "%s failed inside OpenSSL (%s); check that its installation is whole", doing, text);
    return false;
}

static X509 *make_root(EVP_PKEY *key, const char *trust_domain, struct validity validity)
{
    X509 *root = mint_new(key, validity);
    char uri[300];

    snprintf(uri, sizeof uri, "URI:spiffe://%s", trust_domain);
    if (root && mint_subject(root, trust_domain, "meshshim root") &&
        mint_extension(root, root, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        mint_extension(root, root, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        mint_extension(root, root, NID_subject_alt_name, uri) && mint_sign(root, root, key))
        return root;
    X509_free(root);
    return NULL;
}

static bool create_file(const char *path, const struct buf *data, mode_t mode, struct buf *why)
{
    int error = file_create(path, data, mode);
    if (error == EEXIST)
        buf_printf(
            why,
            "%s is there already, and an authority is never overwritten; choose another --dir, or remove it "
            "yourself when nothing trusts it any more",
            path);
    else if (error)
        buf_printf(why, "cannot write %s (%s); check the directory's owner and its free space", path,
                   strerror(error));
    return error == 0;
}

/* The key first: its O_EXCL decides between two that start at once. */
static bool store(const char *directory, const struct buf *root, const struct buf *key, struct buf *why)
{
    char root_path[PATH_MAX], key_path[PATH_MAX];
    if (!directory_make(directory, 0700, why) || !file_path_join(root_path, directory, AUTHORITY_ROOT, why) ||
        !file_path_join(key_path, directory, AUTHORITY_KEY, why) || !create_file(key_path, key, 0600, why))
        return false;
    if (!create_file(root_path, root, 0644, why)) {
        (void)remove(key_path);
        return false;
    }
    directory_sync(directory);
    return true;
}

static void wipe(struct buf *secret)
{
    if (secret->data)
        OPENSSL_cleanse(secret->data, secret->room);
    buf_free(secret);
}

bool authority_create(const char *directory, const char *trust_domain, struct validity validity,
                      struct buf *why)
{
    struct buf root_pem = BUF_INIT, key_pem = BUF_INIT;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *root = key ? make_root(key, trust_domain, validity) : NULL;
    bool done = root && mint_certificate_pem(root, &root_pem) && mint_key_pem(key, &key_pem);

    done = done ? store(directory, &root_pem, &key_pem, why) : failed(why, "making the root");
    X509_free(root);
    EVP_PKEY_free(key);
    buf_free(&root_pem);
    wipe(&key_pem);
    return done;
}

static char *read_pem(const char *directory, const char *name, size_t *length, struct buf *why)
{
    char path[PATH_MAX], *text = NULL;
    int error;
    if (!file_path_join(path, directory, name, why))
        return NULL;
    error = file_read(path, 1 << 20, &text, length);
    if (!error)
        return text;
    buf_printf(why, "cannot read %s (%s); 'meshctl ca init --dir %s' makes an authority", path,
               strerror(error), directory);
    return NULL;
}

static X509 *read_root(const char *directory, struct buf *why)
{
    size_t length = 0;
    char *text = read_pem(directory, AUTHORITY_ROOT, &length, why);
    BIO *bio = text ? BIO_new_mem_buf(text, (int)length) : NULL;
    X509 *root = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    if (text && !root)
        buf_printf(why, "%s/%s is not a PEM certificate; restore it from a copy", directory, AUTHORITY_ROOT);
    BIO_free(bio);
    free(text);
    return root;
}

/* No pass phrase is ever asked for: without this OpenSSL would prompt on the terminal. */
static int no_pass_phrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *read_key(const char *directory, struct buf *why)
{
    size_t length = 0;
    char *text = read_pem(directory, AUTHORITY_KEY, &length, why);
    BIO *bio = text ? BIO_new_mem_buf(text, (int)length) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL) : NULL;

    if (text && !key)
        buf_printf(why, "%s/%s is not an unencrypted PEM private key; restore it from a copy", directory,
                   AUTHORITY_KEY);
    BIO_free(bio);
    if (text)
        OPENSSL_cleanse(text, length);
    free(text);
    return key;
}

/* The root's own SPIFFE ID has no path: what follows the scheme is the trust domain. */
static bool learn_trust_domain(struct authority *authority)
{
    static const char scheme[] = "spiffe://";
    GENERAL_NAMES *names = X509_get_ext_d2i(authority->root, NID_subject_alt_name, NULL, NULL);
    bool found = false;

    for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        const char *text;
        if (name->type != GEN_URI)
            continue;
        text = (const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
        if (strncmp(text, scheme, sizeof scheme - 1) != 0)
            continue;
        text += sizeof scheme - 1;
        found = authority_trust_domain_valid(text);
        if (found)
            snprintf(authority->trust_domain, sizeof authority->trust_domain, "%s", text);
    }
    GENERAL_NAMES_free(names);
    return found;
}

static bool usable(struct authority *authority, const char *directory, struct buf *why)
{
    if (X509_check_private_key(authority->root, authority->key) != 1)
        buf_printf(why, "%s/%s is not the key of %s/%s; restore both from one copy", directory, AUTHORITY_KEY,
                   directory, AUTHORITY_ROOT);
    else if (!learn_trust_domain(authority))
        buf_printf(why, "%s/%s carries no spiffe://TRUST_DOMAIN; make an authority with 'meshctl ca init'",
                   directory, AUTHORITY_ROOT);
    else
        return true;
    ERR_clear_error();
    return false;
}

struct authority *authority_open(const char *directory, struct buf *why)
{
    struct authority *authority = calloc(1, sizeof *authority);
    if (!authority)
        return NULL;
    authority->root = read_root(directory, why);
    authority->key = authority->root ? read_key(directory, why) : NULL;
    if (authority->key && usable(authority, directory, why))
        return authority;
    authority_free(authority);
    return NULL;
}

void authority_free(struct authority *authority)
{
    if (!authority)
        return;
    X509_free(authority->root);
    EVP_PKEY_free(authority->key);
    free(authority);
}

const char *authority_trust_domain(const struct authority *authority)
{
    return authority->trust_domain;
}

static void write_names(const struct leaf_request *request, const char *spiffe_id, struct buf *out)
{
    buf_printf(out, "URI:%s", spiffe_id);
    for (size_t i = 0; i < request->host_count; i++)
        buf_printf(out, ",%s:%s", is_address(request->hosts[i]) ? "IP" : "DNS", request->hosts[i]);
}

static X509 *make_leaf(const struct authority *authority, const struct leaf_request *request,
                       const char *names, EVP_PKEY *key, struct validity validity)
{
    X509 *leaf = mint_new(key, validity), *root = authority->root;
    if (leaf && mint_subject(leaf, authority->trust_domain, request->name) &&
        mint_extension(leaf, root, NID_basic_constraints, "critical,CA:FALSE") &&
        mint_extension(leaf, root, NID_key_usage, "critical,digitalSignature") &&
        mint_extension(leaf, root, NID_ext_key_usage, "serverAuth,clientAuth") &&
        mint_extension(leaf, root, NID_subject_alt_name, names) && mint_sign(leaf, root, authority->key))
        return leaf;
    X509_free(leaf);
    return NULL;
}

/* A leaf that outlives its root would be refused from one second to the next, with a date that looks good. */
static bool fit_into_root(const struct authority *authority, struct validity *validity, bool *shortened,
                          struct buf *why)
{
    int64_t end = mint_seconds(X509_get0_notAfter(authority->root));
    *shortened = validity->not_after > end;
    if (*shortened)
        validity->not_after = end;
    if (validity->not_before < validity->not_after)
        return true;
    buf_puts(why,
             "the root ends before this certificate would begin; make a new root with 'meshctl ca init'");
    return false;
}

bool authority_issue(const struct authority *authority, const struct leaf_request *request, struct leaf *leaf,
                     struct buf *why)
{
    struct validity validity = request->validity;
    struct buf names = BUF_INIT;
    EVP_PKEY *key;
    X509 *certificate;
    bool done;

    *leaf = (struct leaf){ .certificate = BUF_INIT, .key = BUF_INIT, .root = BUF_INIT };
    if (!fit_into_root(authority, &validity, &leaf->shortened, why))
        return false;
    snprintf(leaf->spiffe_id, sizeof leaf->spiffe_id, "spiffe://%s/ns/%s/sa/%s", authority->trust_domain,
             request->namespace_, request->name);
    leaf->not_after = validity.not_after;
    write_names(request, leaf->spiffe_id, &names);
    key = EVP_EC_gen("P-256");
    certificate = key ? make_leaf(authority, request, buf_text(&names), key, validity) : NULL;
    done = certificate && mint_certificate_pem(certificate, &leaf->certificate) &&
           mint_key_pem(key, &leaf->key) && mint_certificate_pem(authority->root, &leaf->root);
    X509_free(certificate);
    EVP_PKEY_free(key);
    buf_free(&names);
    return done ? true : failed(why, "making the certificate");
}

void leaf_free(struct leaf *leaf)
{
    buf_free(&leaf->certificate);
    buf_free(&leaf->root);
    wipe(&leaf->key);
}
