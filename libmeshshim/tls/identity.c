/* See identity.h. */
#include "tls/identity.h"

#include <stdatomic.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/banned.h"
#include "tls/certificate.h"
#include "tls/credentials.h"
#include "tls/openssl.h"
#include "tls/peer.h"

/* What clients offer. A strict foreign HTTP server refuses a hello whose list holds nothing that it knows. */
static const unsigned char alpn_offer[] = "\x08meshshim\x08http/1.1";
static const unsigned char alpn_ours[] = "\x08meshshim";

#define CIPHERSUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

struct identity {
    _Atomic unsigned references;
    SSL_CTX *context; /* for both roles: an SSL says which it plays */
    struct peer_judge judge;
    int64_t not_after;
    uint8_t mark[IDENTITY_MARK];
    char spiffe_id[SPIFFE_ROOM];
};

/* A client that does not offer us is foreign: it gets an answer without ALPN, not a refusal. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *in, unsigned in_length, void *unused)
{
    unsigned char *chosen;
    (void)ssl;
    (void)unused;
    if (SSL_select_next_proto(&chosen, out_length, alpn_ours, sizeof alpn_ours - 1, in, in_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Mutual TLS 1.3 without anything that we would have to carry on after the handshake. */
static bool set_protocol(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* The chain of the file is sent as it is: building one anew for each handshake costs a quarter of it. */
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 0);
    SSL_CTX_set_security_level(context, CERTIFICATE_SECURITY_LEVEL);
    SSL_CTX_set_verify_depth(context, 10);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
    return SSL_CTX_set_session_id_context(context, (const unsigned char *)IDENTITY_CONTEXT,
                                          sizeof IDENTITY_CONTEXT - 1) == 1 &&
           SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_ciphersuites(context, CIPHERSUITES) == 1 &&
           SSL_CTX_set1_groups_list(context, IDENTITY_GROUPS) == 1 &&
           SSL_CTX_set_alpn_protos(context, alpn_offer, sizeof alpn_offer - 1) == 0; /* 0 is its success */
}

static bool set_credentials(SSL_CTX *context, const struct credentials *c)
{
    if (SSL_CTX_use_certificate(context, c->leaf) != 1 || SSL_CTX_use_PrivateKey(context, c->key) != 1)
        return false;
    for (int i = 1; i < sk_X509_num(c->chain); i++)
        if (SSL_CTX_add1_chain_cert(context, sk_X509_value(c->chain, i)) != 1)
            return false;
    SSL_CTX_set1_cert_store(context, c->roots);
    return true;
}

static bool set_mark(struct identity *identity, const struct workload *workload)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, workload->certificate.text, workload->certificate.length) == 1 &&
              EVP_DigestUpdate(md, "", 1) == 1 && /* no PEM text has a NUL */
              EVP_DigestUpdate(md, workload->trust_bundle.text, workload->trust_bundle.length) == 1 &&
              EVP_DigestFinal_ex(md, identity->mark, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static bool build(struct identity *identity, const struct credentials *c, const struct workload *workload)
{
    identity->judge.chains = chains_new();
    identity->judge.bundle_path = strdup(workload->trust_bundle.path);
    identity->context = SSL_CTX_new(TLS_method());
    if (!identity->judge.chains || !identity->judge.bundle_path || !identity->context || peer_slot() < 0)
        return false;
    SSL_CTX_set_cert_verify_callback(identity->context, peer_verify, &identity->judge);
    identity->not_after = certificate_not_after(c->leaf);
    memcpy(identity->spiffe_id, c->spiffe_id, sizeof identity->spiffe_id);
    return set_mark(identity, workload) && set_protocol(identity->context) &&
           set_credentials(identity->context, c);
}

static struct identity *assemble(const struct credentials *c, const struct workload *workload,
                                 struct buf *why)
{
    struct identity *identity = calloc(1, sizeof *identity);
    char text[256];

    if (!identity) {
        buf_puts(why, "out of memory");
        return NULL;
    }
    atomic_init(&identity->references, 1);
    if (build(identity, c, workload))
        return identity;
    identity_openssl_error(text, sizeof text);
    buf_printf(why, "%s: OpenSSL refuses the certificate or the key: %s", workload->certificate.path, text);
    identity_unref(identity);
    return NULL;
}

struct identity *identity_new(const struct workload *workload, struct buf *why)
{
    struct credentials credentials;
    struct findings findings = FINDINGS_INIT;
    struct identity *identity = NULL;
    unsigned shortages = openssl_shortages();

    credentials_load(workload, (int64_t)time(NULL), &credentials, &findings);
    if (findings.fault_count == 0)
        identity = assemble(&credentials, workload, why);
    else
        buf_append(why, buf_text(&findings.faults), strcspn(buf_text(&findings.faults), "\n"));
    credentials_free(&credentials);
    findings_free(&findings);
    if (identity && openssl_shortages() != shortages) {
        buf_puts(why, "out of memory");
        identity_unref(identity);
        identity = NULL;
    }
    return identity;
}

struct identity *identity_ref(struct identity *identity)
{
    atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
    return identity;
}

void identity_unref(struct identity *identity)
{
    if (!identity || atomic_fetch_sub_explicit(&identity->references, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(identity->context);
    chains_free(identity->judge.chains);
    free(identity->judge.bundle_path);
    free(identity);
}

SSL_CTX *identity_client_context(struct identity *identity)
{
    return identity->context;
}

SSL_CTX *identity_server_context(struct identity *identity)
{
    return identity->context;
}

const uint8_t *identity_mark(const struct identity *identity)
{
    return identity->mark;
}

int64_t identity_not_after(const struct identity *identity)
{
    return identity->not_after;
}

const char *identity_spiffe_id(const struct identity *identity)
{
    return identity->spiffe_id;
}

int identity_attach(SSL *ssl, struct peer_check *check)
{
    return SSL_set_ex_data(ssl, peer_slot(), check);
}

void identity_openssl_error(char *text, size_t room)
{
    unsigned long error = ERR_peek_error();
    const char *reason;

    openssl_need_words();
    reason = error ? ERR_reason_error_string(error) : "";
    if (reason)
        snprintf(text, room, "%s", reason);
    else
        ERR_error_string_n(error, text, room);
    ERR_clear_error();
}

int identity_examine(const struct workload *workload, struct buf *out)
{
    struct credentials credentials;
    struct findings findings = FINDINGS_INIT;
    int faults;

    credentials_load(workload, (int64_t)time(NULL), &credentials, &findings);
    faults = findings.fault_count;
    buf_puts(out, buf_text(&findings.faults));
    buf_puts(out, buf_text(&findings.warnings));
    credentials_free(&credentials);
    findings_free(&findings);
    return faults;
}
