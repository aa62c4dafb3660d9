/* See peer.h. */
#include "tls/peer.h"

#include <stdarg.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/evp.h>

#include "base/banned.h"
#include "base/once.h"
#include "tls/certificate.h"
#include "tls/identity.h"
#include "tls/parsed.h"

/*
 * OpenSSL chooses the alert by the verification error. Somebody else's valid certificate is none of those
 * that it has an alert for, and any of the rest sends certificate_unknown: "some other issue, rendering it
 * unacceptable".
 */
#define REFUSED X509_V_ERR_PERMITTED_VIOLATION

static struct once once;
static int slot = -1;
static EVP_MD *sha256;

static bool start(void)
{
    if (slot < 0)
        slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    if (!sha256)
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    return slot >= 0 && sha256;
}

int peer_slot(void)
{
    return once_ready(&once, start) ? slot : -1;
}

static int refuse(struct peer_check *check, enum stats_failure failure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct peer_check *check, enum stats_failure failure, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(check->reason, sizeof check->reason, format, args);
    va_end(args);
    check->failure = failure;
    return 0;
}

static bool add_der(EVP_MD_CTX *md, X509 *certificate)
{
    unsigned char *der = NULL;
    int n = i2d_X509(certificate, &der);
    bool ok = n > 0 && EVP_DigestUpdate(md, der, (size_t)n) == 1;
    OPENSSL_free(der);
    return ok;
}

/* All that the verification's outcome depends on beside the bundle and the date: purpose and certificates, in
 * order. */
static bool chain_digest(X509_STORE_CTX *store, bool server, uint8_t digest[CHAINS_DIGEST])
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t purpose = server;
    bool ok = md && sha256 && EVP_DigestInit_ex2(md, sha256, NULL) == 1 &&
              EVP_DigestUpdate(md, &purpose, 1) == 1 && add_der(md, X509_STORE_CTX_get0_cert(store));

    for (int i = 0; ok && i < sk_X509_num(sent); i++)
        ok = add_der(md, sk_X509_value(sent, i));
    ok = ok && EVP_DigestFinal_ex(md, digest, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

/* Until when it is valid. */
static int64_t remember(struct chains *chains, const uint8_t *digest, X509_STORE_CTX *store)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
    int64_t from = INT64_MIN, until = INT64_MAX;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t start_ = certificate_not_before(sk_X509_value(chain, i));
        int64_t end = certificate_not_after(sk_X509_value(chain, i));
        from = start_ > from ? start_ : from;
        until = end < until ? end : until;
    }
    if (sk_X509_num(chain) == 0)
        return 0;
    if (digest)
        chains_remember(chains, digest, from, until);
    return until;
}

/* X509_verify_cert, or the memory of it. */
static bool chain_valid(X509_STORE_CTX *store, struct chains *chains, bool server, int64_t *until)
{
    uint8_t digest[CHAINS_DIGEST];
    bool digested = chain_digest(store, server, digest);

    *until = digested ? chains_know(chains, digest, (int64_t)time(NULL)) : 0;
    if (*until)
        return true;
    if (X509_verify_cert(store) != 1)
        return false;
    *until = remember(chains, digested ? digest : NULL, store);
    return true;
}

static int refuse_authority(struct peer_check *check, const char *presented)
{
    return refuse(check, FAILURE_CERTIFICATE, "the peer's certificate (%s) is a CA's, not a workload's",
                  *presented ? presented : "no SPIFFE ID");
}

/* Which certificate a sentence is about: the peer's own, or one above it. */
static void subject_of(X509_STORE_CTX *store, const char *presented, char *text, size_t room)
{
    X509 *current = X509_STORE_CTX_get_current_cert(store);
    char name[CERTIFICATE_NAME];

    if (current && X509_STORE_CTX_get_error_depth(store) > 0) {
        certificate_subject(current, name);
        snprintf(text, room, "CA certificate '%s'", name);
    } else {
        snprintf(text, room, "certificate (%s)", *presented ? presented : "no SPIFFE ID");
    }
}

/* Why the chain did not verify. */
static int explain(X509_STORE_CTX *store, const struct peer_judge *judge, struct peer_check *check,
                   const char *presented)
{
    int error = X509_STORE_CTX_get_error(store);
    X509 *current = X509_STORE_CTX_get_current_cert(store);
    X509 *about = current ? current : X509_STORE_CTX_get0_cert(store);
    char subject[SPIFFE_ROOM + 32], date[CERTIFICATE_DATE], issuer[CERTIFICATE_NAME];

    subject_of(store, presented, subject, sizeof subject);
    certificate_issuer(about, issuer);
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        certificate_date(certificate_not_after(about), date);
        return refuse(check, FAILURE_CERTIFICATE, "the peer's %s expired on %s", subject, date);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        certificate_date(certificate_not_before(about), date);
        return refuse(check, FAILURE_CERTIFICATE, "the peer's %s is not yet valid: it begins at %s", subject,
                      date);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return refuse(check, FAILURE_CERTIFICATE, "the peer's %s is self-signed, and not in %s", subject,
                      judge->bundle_path);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return refuse(check, FAILURE_CERTIFICATE, "the peer's %s was issued by '%s', which is not in %s",
                      subject, issuer, judge->bundle_path);
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* a CA made anew under the old name */
        /* Of itself OpenSSL would say decrypt_error, which sounds like a broken handshake and tells the peer nothing of its root. */
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        return refuse(check, FAILURE_CERTIFICATE,
                      "the peer's %s was signed by another '%s' than the one in %s", subject, issuer,
                      judge->bundle_path);
    case X509_V_ERR_INVALID_PURPOSE:
        if (certificate_signs(X509_STORE_CTX_get0_cert(store)))
            return refuse_authority(check, presented);
        return refuse(check, FAILURE_CERTIFICATE, "the peer's %s is not meant for %s (extended key usage)",
                      subject, check->peer_is_server ? "servers" : "clients");
    default:
        return refuse(check, FAILURE_CERTIFICATE, "the peer's %s, issued by '%s', is not valid: %s", subject,
                      issuer, X509_verify_cert_error_string(error));
    }
}

/* "default/web, ops/[star]" or what no list means. */
static void expected(const struct peer_check *check, char *text, size_t room)
{
    size_t at = 0;

    if (!check->wanted || check->wanted->count == 0) {
        snprintf(text, room, "any identity of trust domain %s", check->trust_domain);
        return;
    }
    text[0] = '\0';
    for (size_t i = 0; i < check->wanted->count && at < room; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%s", i ? ", " : "", check->wanted->patterns[i]);
}

bool peer_is_wanted(const struct peer_check *check, const char *peer_id)
{
    static const struct identity_list anybody;
    return spiffe_in_domain(peer_id, check->trust_domain) &&
           identity_list_matches(check->wanted ? check->wanted : &anybody, check->trust_domain, peer_id);
}

bool peer_accept(struct peer_check *check, const char *peer_id)
{
    char list[256];

    snprintf(check->peer_id, sizeof check->peer_id, "%s", peer_id);
    check->accepted = peer_is_wanted(check, peer_id);
    if (check->accepted)
        return true;
    expected(check, list, sizeof list);
    refuse(check, FAILURE_IDENTITY, "the peer presented %s, expected %s", peer_id, list);
    return false;
}

/* A valid certificate: is it of one whom we want? */
static int judge_identity(const char *presented, const char *complaint, struct peer_check *check)
{
    if (complaint)
        return refuse(check, FAILURE_IDENTITY, "the peer's certificate %s", complaint);
    return peer_accept(check, presented);
}

static void remember_parsed(X509_STORE_CTX *store)
{
    const STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    parsed_remember(X509_STORE_CTX_get0_cert(store));
    for (int i = 0; i < sk_X509_num(sent); i++)
        parsed_remember(sk_X509_value(sent, i));
}

static int judge(X509_STORE_CTX *store, const struct peer_judge *by, struct peer_check *check)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    char presented[SPIFFE_ROOM];
    const char *complaint = certificate_spiffe_id(leaf, presented);

    if (!chain_valid(store, by->chains, check->peer_is_server, &check->valid_until)) {
        if (X509_STORE_CTX_get_error(store) == X509_V_OK) /* it could not even be tried */
            X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        return explain(store, by, check, presented);
    }
    X509_STORE_CTX_set_error(store, REFUSED);
    if (certificate_signs(leaf))
        return refuse_authority(check, presented);
    if (!judge_identity(presented, complaint, check))
        return 0;
    remember_parsed(store);
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

int peer_verify(X509_STORE_CTX *store, void *arg)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct peer_check *check = ssl && slot >= 0 ? SSL_get_ex_data(ssl, slot) : NULL;
    int verdict;

    if (!check) { /* nobody said whom to expect */
        X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_CALL);
        return 0;
    }
    check->accepted = false;
    check->peer_id[0] = check->reason[0] = '\0';
    verdict = judge(store, arg, check);
    ERR_clear_error();
    return verdict;
}
