/* See credentials.h. */
#include "tls/credentials.h"

#include <stdarg.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/banned.h"
#include "tls/certificate.h"
#include "tls/openssl.h"
#include "tls/pem_reader.h"

static void note(struct buf *to, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void fault(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warning(struct findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct buf *to, const char *format, va_list args)
{
    char line[1024];
    vsnprintf(line, sizeof line, format, args);
    buf_puts(to, line);
    buf_puts(to, "\n");
}

static void fault(struct findings *findings, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(&findings->faults, format, args);
    va_end(args);
    findings->fault_count++;
}

static void warning(struct findings *findings, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    note(&findings->warnings, format, args);
    va_end(args);
}

/* Is there a text to look at? */
static bool readable(const struct pem_file *file, const char *key, struct findings *findings)
{
    char words[128];

    if (!file->path)
        fault(findings, "[workload] %s is not set: name the PEM file", key);
    else if (file->error)
        fault(findings, "%s: cannot be read: %s ([workload] %s)", file->path,
              strerror_r(file->error, words, sizeof words), key);
    else if (!file->text)
        fault(findings, "%s: was not read ([workload] %s)", file->path, key);
    else
        return true;
    return false;
}

static STACK_OF(X509) * certificates(const struct pem_file *file, const char *key, struct findings *findings)
{
    int damaged;
    STACK_OF(X509) * all;

    if (!readable(file, key, findings))
        return NULL;
    all = pem_certificates(file->text, file->length, &damaged);
    if (damaged)
        fault(findings, "%s: certificate number %d is damaged ([workload] %s)", file->path, damaged, key);
    else if (!all)
        fault(findings, "%s: holds no certificate in PEM form ([workload] %s)", file->path, key);
    return all;
}

/* Each certificate that may sign becomes an anchor, self-signed or not: cert-manager's ca.crt may be an
 * intermediate. */
static void load_roots(const struct pem_file *file, int64_t now, struct credentials *c,
                       struct findings *findings)
{
    STACK_OF(X509) *all = certificates(file, "trust_bundle", findings);
    int anchors = 0;

    if (!all)
        return;
    c->roots = X509_STORE_new();
    for (int i = 0; c->roots && i < sk_X509_num(all); i++) {
        X509 *root = sk_X509_value(all, i);
        int64_t end = certificate_not_after(root);
        char name[CERTIFICATE_NAME], date[CERTIFICATE_DATE];

        certificate_subject(root, name);
        certificate_date(end, date);
        if (X509_check_ca(root) == 0) {
            warning(findings, "%s: certificate '%s' is not a CA's and is ignored", file->path, name);
            continue;
        }
        if (end < now)
            warning(findings, "%s: root '%s' expired on %s: remove it, or add its successor", file->path,
                    name, date);
        anchors += X509_STORE_add_cert(c->roots, root);
    }
    sk_X509_pop_free(all, X509_free);
    if (anchors == 0)
        fault(findings, "%s: holds no CA certificate ([workload] trust_bundle)", file->path);
    else
        X509_STORE_set_flags(c->roots, X509_V_FLAG_PARTIAL_CHAIN);
}

static void judge_dates(const struct pem_file *file, X509 *leaf, int64_t now, struct findings *findings)
{
    int64_t start = certificate_not_before(leaf), end = certificate_not_after(leaf);
    char from[CERTIFICATE_DATE], until[CERTIFICATE_DATE];

    certificate_date(start, from);
    certificate_date(end, until);
    if (now > end)
        fault(findings, "%s: the certificate expired on %s: renew it", file->path, until);
    else if (now < start)
        fault(findings, "%s: the certificate is not valid before %s: is the clock right?", file->path, from);
    else if (end - now < (end - start) / 3)
        warning(findings,
                "%s: the certificate expires on %s: less than a third of its lifetime is left, renew it",
                file->path, until);
}

/* Peers look at the extended key usage, where there is one: warn before they refuse. */
static void judge_usage(const struct pem_file *file, X509 *leaf, struct findings *findings)
{
    if (!(X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE))
        return;
    if (!(X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT))
        warning(findings,
                "%s: the certificate is not meant for clients (extended key usage): servers will refuse "
                "this workload's connections",
                file->path);
    if (!(X509_get_extended_key_usage(leaf) & XKU_SSL_SERVER))
        warning(findings,
                "%s: the certificate is not meant for servers (extended key usage): clients will refuse "
                "this workload",
                file->path);
}

static void judge_name(const struct workload *workload, struct credentials *c, struct findings *findings)
{
    const char *path = workload->certificate.path;
    const char *complaint = certificate_spiffe_id(c->leaf, c->spiffe_id);

    if (complaint)
        fault(findings, "%s: the certificate %s", path, complaint);
    else if (strcmp(c->spiffe_id, workload->spiffe_id) != 0)
        fault(findings, "%s: the certificate is for %s, but [workload] says %s", path, c->spiffe_id,
              workload->spiffe_id);
    if (certificate_signs(c->leaf))
        fault(findings, "%s: its first certificate is a CA's: the workload's own must come first", path);
}

static void load_chain(const struct workload *workload, int64_t now, struct credentials *c,
                       struct findings *findings)
{
    const struct pem_file *file = &workload->certificate;

    c->chain = certificates(file, "certificate", findings);
    if (!c->chain)
        return;
    c->leaf = sk_X509_value(c->chain, 0);
    judge_name(workload, c, findings);
    judge_dates(file, c->leaf, now, findings);
    judge_usage(file, c->leaf, findings);
}

static void load_key(const struct workload *workload, struct credentials *c, struct findings *findings)
{
    const struct pem_file *file = &workload->private_key;
    const char *complaint;

    if (!readable(file, "private_key", findings))
        return;
    c->key = pem_private_key(file->text, file->length, &complaint);
    if (!c->key)
        fault(findings, "%s: %s ([workload] private_key)", file->path, complaint);
    else if (c->leaf && X509_check_private_key(c->leaf, c->key) != 1)
        fault(findings, "%s: the private key does not belong to the certificate in %s", file->path,
              workload->certificate.path);
}

/* Leads the file's chain to the bundle, dates apart: they were judged, and have sentences of their own. */
static int verify(const struct credentials *c, char issuer[CERTIFICATE_NAME])
{
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    int error = X509_V_ERR_OUT_OF_MEM;
    X509 *last;

    issuer[0] = '\0';
    if (store && X509_STORE_CTX_init(store, c->roots, c->leaf, c->chain) == 1) {
        X509_STORE_CTX_set_flags(store, X509_V_FLAG_NO_CHECK_TIME);
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(store), CERTIFICATE_SECURITY_LEVEL);
        error = X509_verify_cert(store) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(store);
        last = X509_STORE_CTX_get_current_cert(store);
        certificate_issuer(last ? last : c->leaf, issuer);
    }
    X509_STORE_CTX_free(store);
    ERR_clear_error();
    return error;
}

static void judge_intermediates(const struct pem_file *file, const struct credentials *c, int64_t now,
                                struct findings *findings)
{
    for (int i = 1; i < sk_X509_num(c->chain); i++) {
        X509 *intermediate = sk_X509_value(c->chain, i);
        int64_t end = certificate_not_after(intermediate);
        char name[CERTIFICATE_NAME], date[CERTIFICATE_DATE];
        if (end >= now)
            continue;
        certificate_subject(intermediate, name);
        certificate_date(end, date);
        fault(findings, "%s: the intermediate certificate '%s' expired on %s: renew the chain", file->path,
              name, date);
    }
}

static void judge_chain(const struct workload *workload, const struct credentials *c, int64_t now,
                        struct findings *findings)
{
    char issuer[CERTIFICATE_NAME];
    int error = verify(c, issuer);

    judge_intermediates(&workload->certificate, c, now, findings);
    if (error == X509_V_OK)
        return;
    fault(findings, "%s: the certificate does not lead to a root in %s: %s (issuer '%s')",
          workload->certificate.path, workload->trust_bundle.path, X509_verify_cert_error_string(error),
          issuer);
}

void credentials_load(const struct workload *workload, int64_t now, struct credentials *credentials,
                      struct findings *findings)
{
    memset(credentials, 0, sizeof *credentials);
    if (!openssl_start()) {
        fault(findings, "OpenSSL cannot start: out of memory");
        return;
    }
    load_chain(workload, now, credentials, findings);
    load_key(workload, credentials, findings);
    load_roots(&workload->trust_bundle, now, credentials, findings);
    if (credentials->leaf && credentials->roots)
        judge_chain(workload, credentials, now, findings);
}

void credentials_free(struct credentials *credentials)
{
    sk_X509_pop_free(credentials->chain, X509_free);
    EVP_PKEY_free(credentials->key);
    X509_STORE_free(credentials->roots);
}

void findings_free(struct findings *findings)
{
    buf_free(&findings->faults);
    buf_free(&findings->warnings);
}
