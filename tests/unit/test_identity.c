/* Who is believed: certificates of every kind through real handshakes in memory, and the faults of our own
 * files. */
#include <CUnit/Basic.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "tls/identity.h"
#include "tls/spiffe.h"

#include "certs.c"

#define ID(name) "URI:spiffe://mesh.local/ns/default/sa/" name
#define BOTH     "serverAuth,clientAuth"

static struct cert root, other_root, same_name_root, intermediate;
static struct identity *honest; /* default/web, by root */

static struct workload *workload_of(const char *name, const struct cert *cert, const struct cert *bundle)
{
    return cert_workload(name, cert_chain_pem(&cert, 1), cert_key_pem(cert, KEY_PKCS8),
                         cert_chain_pem(&bundle, 1));
}

/* NULL, and why on standard output, where it cannot be had. Also called outside of tests: asserts nothing. */
static struct identity *identity_of(const char *name, const struct cert *cert, const struct cert *bundle)
{
    struct workload *workload = workload_of(name, cert, bundle);
    struct buf why = BUF_INIT;
    struct identity *identity = identity_new(workload, &why);

    if (!identity)
        printf("%s: %s\n", name, buf_text(&why));
    buf_free(&why);
    cert_workload_free(workload);
    return identity;
}

/* A foreign peer's context: any certificates, nothing of ours. */
static SSL_CTX *foreign(const struct cert *const *certs, int count)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    SSL_CTX_set_security_level(context, 0);
    if (count > 0) {
        SSL_CTX_use_certificate(context, certs[0]->x509);
        SSL_CTX_use_PrivateKey(context, certs[0]->key);
    }
    for (int i = 1; i < count; i++)
        SSL_CTX_add1_chain_cert(context, certs[i]->x509);
    return context;
}

/* How a handshake ended at each end. */
struct outcome {
    bool client, server;
    char client_error[128], server_error[128]; /* OpenSSL's words: the other end's alert, or ours */
    int client_alert;                          /* what the client received, -1: none */
    int server_alert;
    bool alpn;
    int chain_length; /* certificates that the client sent */
};

static void note_alert(const SSL *ssl, int where, int value)
{
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        *(int *)SSL_get_app_data(ssl) = value & 0xff;
}

static SSL *end_of(SSL_CTX *context, BIO *in, BIO *out, struct peer_check *check, int *alert)
{
    SSL *ssl = SSL_new(context);

    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl, in, out);
    *alert = -1;
    SSL_set_app_data(ssl, alert);
    SSL_set_info_callback(ssl, note_alert);
    if (check)
        CU_ASSERT_EQUAL(identity_attach(ssl, check), 1);
    return ssl;
}

static void step(SSL *ssl, bool *done, char *error, size_t room)
{
    int result = SSL_do_handshake(ssl);
    bool waiting = result != 1 && SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ;

    *done = result == 1;
    if (result != 1 && !waiting && !*error)
        identity_openssl_error(error, room);
}

static struct outcome handshake(SSL_CTX *client_context, SSL_CTX *server_context,
                                struct peer_check *client_check, struct peer_check *server_check)
{
    struct outcome o = { .client = false };
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    SSL *client = end_of(client_context, down, up, client_check, &o.client_alert);
    SSL *server = end_of(server_context, up, down, server_check, &o.server_alert);
    const unsigned char *alpn;
    unsigned alpn_length;
    char byte;

    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int i = 0; i < 10; i++) {
        step(client, &o.client, o.client_error, sizeof o.client_error);
        step(server, &o.server, o.server_error, sizeof o.server_error);
    }
    SSL_read(client, &byte, 1); /* a server's refusal comes after the client's own end */
    SSL_get0_alpn_selected(client, &alpn, &alpn_length);
    o.alpn = alpn_length == 8 && memcmp(alpn, "meshshim", 8) == 0;
    o.chain_length = 1 + sk_X509_num(SSL_get_peer_cert_chain(server)); /* a server's is without the leaf */
    SSL_free(client);
    SSL_free(server);
    BIO_free(up);
    BIO_free(down);
    return o;
}

static struct peer_check check_of(bool peer_is_server, const struct identity_list *wanted)
{
    struct peer_check check = { .trust_domain = "mesh.local",
                                .wanted = wanted,
                                .peer_is_server = peer_is_server };
    return check;
}

static void expect_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        printf("\n    '%s' does not say '%s'\n", text, part);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

/*
 * The honest side, as client and as server, meets a peer with this chain, and refuses it with this failure,
 * alert and sentence; reason NULL: accepts it.
 */
static void meet(const struct cert *const *certs, int count, const struct identity_list *wanted,
                 enum stats_failure failure, int alert, const char *reason)
{
    for (int as_client = 0; as_client < 2; as_client++) {
        struct peer_check check = check_of(as_client, wanted);
        SSL_CTX *peer = foreign(certs, count);
        struct outcome o = as_client ? handshake(identity_client_context(honest), peer, &check, NULL)
                                     : handshake(peer, identity_server_context(honest), NULL, &check);
        CU_ASSERT_EQUAL(as_client ? o.client : o.server, reason == NULL);
        CU_ASSERT_EQUAL(check.accepted, reason == NULL);
        if (reason) {
            CU_ASSERT_EQUAL(check.failure, failure);
            CU_ASSERT_EQUAL(as_client ? o.server_alert : o.client_alert, alert);
            expect_text(check.reason, reason);
        } else {
            CU_ASSERT_STRING_EQUAL(check.reason, "");
            CU_ASSERT_NOT_EQUAL(check.peer_id[0], '\0');
        }
        if (failure == FAILURE_CERTIFICATE)
            CU_ASSERT_STRING_EQUAL(check.peer_id, "");
        SSL_CTX_free(peer);
    }
}

static void meet_leaf(const struct cert_spec *spec, enum stats_failure failure, int alert, const char *reason)
{
    struct cert cert = cert_make(spec);
    const struct cert *certs[] = { &cert };

    meet(certs, 1, NULL, failure, alert, reason);
    cert_free(&cert);
}

static char *web_patterns[] = { (char[]){ "default/web" }, NULL };
static char *both_patterns[] = { (char[]){ "ops/*" }, (char[]){ "default/payments" } };
static const struct identity_list only_web = { web_patterns, 1 }, ops_or_payments = { both_patterns, 2 };

static void both_ours(void)
{
    struct peer_check client = check_of(true, &only_web), server = check_of(false, NULL);

    for (int i = 0; i < 3; i++) { /* the second time the chain is remembered */
        struct outcome o =
            handshake(identity_client_context(honest), identity_server_context(honest), &client, &server);
        CU_ASSERT_TRUE(o.client && o.server && o.alpn);
        CU_ASSERT_TRUE(client.accepted && server.accepted);
        CU_ASSERT_STRING_EQUAL(client.peer_id, "spiffe://mesh.local/ns/default/sa/web");
        CU_ASSERT_STRING_EQUAL(server.peer_id, "spiffe://mesh.local/ns/default/sa/web");
        CU_ASSERT_EQUAL(o.chain_length, 1);
    }
}

static void good_peers(void)
{
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &root }, FAILURE_COUNT, 0, NULL);
    meet_leaf(
        &(struct cert_spec){ .name = "b", .alt = ID("b") ",DNS:b.local", .issuer = &root, .usage = BOTH },
        FAILURE_COUNT, 0, NULL);
    meet_leaf(&(struct cert_spec){ .name = "r", .alt = ID("r"), .issuer = &root, .rsa_bits = 2048 },
              FAILURE_COUNT, 0, NULL);
}

static void dates(void)
{
    meet_leaf(
        &(struct cert_spec){ .name = "a", .alt = ID("old"), .issuer = &root, .from = -7200, .until = -3600 },
        FAILURE_CERTIFICATE, SSL_AD_CERTIFICATE_EXPIRED,
        "the peer's certificate (spiffe://mesh.local/ns/default/sa/old) expired on 20");
    meet_leaf(
        &(struct cert_spec){ .name = "a", .alt = ID("new"), .issuer = &root, .from = 3600, .until = 7200 },
        FAILURE_CERTIFICATE, SSL_AD_BAD_CERTIFICATE, "sa/new) is not yet valid: it begins at 20");
}

static void issuers(void)
{
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &other_root }, FAILURE_CERTIFICATE,
              SSL_AD_UNKNOWN_CA, "was issued by 'CN=other root', which is not in /etc/test/ca.pem");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a") }, FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA,
              "is self-signed");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &same_name_root },
              FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA, "'CN=root'");
}

/* A root that is sent along proves nothing. */
static void foreign_root_sent_along(void)
{
    struct cert leaf = cert_make(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &other_root });
    const struct cert *certs[] = { &leaf, &other_root };

    meet(certs, 2, NULL, FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA, "'CN=other root', which is not in");
    cert_free(&leaf);
}

static void names(void)
{
    meet_leaf(&(struct cert_spec){ .name = "a", .issuer = &root }, FAILURE_IDENTITY,
              SSL_AD_CERTIFICATE_UNKNOWN, "the peer's certificate carries no SPIFFE ID");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = "DNS:a.mesh.local", .issuer = &root },
              FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "carries no SPIFFE ID");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a") "," ID("b"), .issuer = &root },
              FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "more than one URI");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a") ",URI:https://x/", .issuer = &root },
              FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "more than one URI");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = "URI:https://mesh.local/ns/a/sa/b", .issuer = &root },
              FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "is no SPIFFE ID");
    meet_leaf(
        &(struct cert_spec){ .name = "a", .alt = "URI:spiffe://evil.org/ns/default/sa/web", .issuer = &root },
        FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN,
        "presented spiffe://evil.org/ns/default/sa/web, expected any identity of trust domain mesh.local");
    meet_leaf(
        &(struct cert_spec){ .name = "a", .alt = "URI:spiffe://mesh.local.evil/ns/d/sa/a", .issuer = &root },
        FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "presented spiffe://mesh.local.evil/");
}

static void long_name(void)
{
    char alt[512] = ID("a");
    size_t n = strlen(alt);

    memset(alt + n, 'a', 300 - n);
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = alt, .issuer = &root }, FAILURE_IDENTITY,
              SSL_AD_CERTIFICATE_UNKNOWN, "more than 255 characters");
}

/* The trust domain is looked at even where a list names the foreign identity whole. */
static void wanted_list(void)
{
    struct cert evil = cert_make(&(struct cert_spec){
        .name = "a", .alt = "URI:spiffe://evil.org/ns/default/sa/web", .issuer = &root });
    struct cert web = cert_make(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root });
    struct cert ops = cert_make(
        &(struct cert_spec){ .name = "o", .alt = "URI:spiffe://mesh.local/ns/ops/sa/x", .issuer = &root });
    const struct cert *one[] = { &web }, *two[] = { &ops }, *three[] = { &evil };
    char *whole[] = { (char[]){ "spiffe://evil.org/ns/default/sa/web" } };
    struct identity_list by_id = { whole, 1 };

    meet(one, 1, &only_web, FAILURE_COUNT, 0, NULL);
    meet(two, 1, &ops_or_payments, FAILURE_COUNT, 0, NULL);
    meet(one, 1, &ops_or_payments, FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN,
         "the peer presented spiffe://mesh.local/ns/default/sa/web, expected ops/*, default/payments");
    meet(two, 1, &only_web, FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "expected default/web");
    meet(three, 1, &by_id, FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "presented spiffe://evil.org");
    cert_free(&evil);
    cert_free(&web);
    cert_free(&ops);
}

/* Refused once is not remembered as accepted, accepted once is judged by the list each time. */
static void memory_of_chains_is_not_of_identities(void)
{
    struct cert web = cert_make(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root });
    const struct cert *certs[] = { &web };

    meet(certs, 1, &only_web, FAILURE_COUNT, 0, NULL);
    meet(certs, 1, &ops_or_payments, FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "expected ops/*");
    meet(certs, 1, &only_web, FAILURE_COUNT, 0, NULL);
    cert_free(&web);
}

static void authorities_are_no_workloads(void)
{
    meet_leaf(&(struct cert_spec){ .name = "ca", .alt = ID("a"), .issuer = &root, .ca = true },
              FAILURE_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE, "is a CA's");
}

/* A leaf may not issue: a chain through one is refused. */
static void leaf_as_issuer(void)
{
    struct cert middle = cert_make(&(struct cert_spec){ .name = "m", .alt = ID("m"), .issuer = &root });
    struct cert leaf = cert_make(&(struct cert_spec){ .name = "l", .alt = ID("web"), .issuer = &middle });
    const struct cert *certs[] = { &leaf, &middle };

    meet(certs, 2, NULL, FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA, "the peer's CA certificate 'CN=m'");
    cert_free(&leaf);
    cert_free(&middle);
}

static void purposes(void)
{
    struct cert server =
        cert_make(&(struct cert_spec){ .name = "s", .alt = ID("s"), .issuer = &root, .usage = "serverAuth" });
    const struct cert *certs[] = { &server };
    SSL_CTX *peer = foreign(certs, 1);
    struct peer_check check = check_of(true, NULL);

    CU_ASSERT_TRUE(handshake(identity_client_context(honest), peer, &check, NULL).client);
    check = check_of(false, NULL); /* the same certificate, just verified, is none for a client */
    struct outcome o = handshake(peer, identity_server_context(honest), NULL, &check);
    CU_ASSERT_FALSE(o.server);
    CU_ASSERT_EQUAL(o.client_alert, SSL_AD_UNSUPPORTED_CERTIFICATE);
    expect_text(check.reason, "is not meant for clients");
    SSL_CTX_free(peer);
    cert_free(&server);
}

static void intermediates(void)
{
    struct cert leaf =
        cert_make(&(struct cert_spec){ .name = "l", .alt = ID("deep"), .issuer = &intermediate });
    const struct cert *whole[] = { &leaf, &intermediate }, *bundle[] = { &root };
    struct workload *workload = cert_workload("deep", cert_chain_pem(whole, 2),
                                              cert_key_pem(&leaf, KEY_PKCS8), cert_chain_pem(bundle, 1));
    struct peer_check client = check_of(true, NULL), server = check_of(false, NULL);
    struct buf why = BUF_INIT;
    struct identity *deep = identity_new(workload, &why);

    CU_ASSERT_PTR_NOT_NULL_FATAL(deep);
    struct outcome o =
        handshake(identity_client_context(deep), identity_server_context(honest), &client, &server);
    CU_ASSERT_TRUE(o.client && o.server);
    CU_ASSERT_EQUAL(o.chain_length, 2);
    CU_ASSERT_STRING_EQUAL(server.peer_id, "spiffe://mesh.local/ns/default/sa/deep");
    meet(whole, 2, NULL, FAILURE_COUNT, 0, NULL);
    meet(whole, 1, NULL, FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA,
         "issued by 'CN=intermediate', which is not in");
    identity_unref(deep);
    cert_workload_free(workload);
    cert_free(&leaf);
}

static void no_certificate(void)
{
    SSL_CTX *naked = foreign(NULL, 0);
    struct peer_check check = check_of(false, NULL);
    struct outcome o = handshake(naked, identity_server_context(honest), NULL, &check);

    CU_ASSERT_FALSE(o.server || check.accepted);
    CU_ASSERT_EQUAL(o.client_alert, 116); /* certificate_required */
    expect_text(o.server_error, "peer did not return a certificate");
    SSL_CTX_free(naked);
}

static void nobody_attached_is_refused(void)
{
    struct peer_check check = check_of(false, NULL);
    struct outcome o =
        handshake(identity_client_context(honest), identity_server_context(honest), NULL, &check);
    CU_ASSERT_FALSE(o.client || o.server);
}

static void older_protocols(void)
{
    const struct cert *certs[] = { &root };
    SSL_CTX *old = foreign(certs, 1);
    struct peer_check check = check_of(true, NULL);

    SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
    CU_ASSERT_FALSE(handshake(identity_client_context(honest), old, &check, NULL).client);
    check = check_of(false, NULL);
    struct outcome o = handshake(old, identity_server_context(honest), NULL, &check);
    CU_ASSERT_FALSE(o.server);
    CU_ASSERT_EQUAL(o.client_alert, SSL_AD_PROTOCOL_VERSION);
    SSL_CTX_free(old);
}

/* A foreign client with an ALPN of its own is served, without ALPN. */
static void foreign_alpn(void)
{
    struct cert leaf = cert_make(&(struct cert_spec){ .name = "c", .alt = ID("c"), .issuer = &root });
    const struct cert *certs[] = { &leaf };
    SSL_CTX *peer = foreign(certs, 1);
    struct peer_check check = check_of(false, NULL);

    SSL_CTX_set_alpn_protos(peer, (const unsigned char *)"\x02h2", 3);
    struct outcome o = handshake(peer, identity_server_context(honest), NULL, &check);
    CU_ASSERT_TRUE(o.client && o.server && !o.alpn);
    SSL_CTX_free(peer);
    cert_free(&leaf);
}

/* ---- our own files ---- */

static void expect_fault(struct workload *workload, const char *reason)
{
    struct buf why = BUF_INIT, findings = BUF_INIT;
    struct identity *identity = identity_new(workload, &why);

    CU_ASSERT_PTR_NULL(identity);
    expect_text(buf_text(&why), reason);
    CU_ASSERT_PTR_NULL(strchr(buf_text(&why), '\n'));
    CU_ASSERT_TRUE(identity_examine(workload, &findings) > 0);
    expect_text(buf_text(&findings), reason);
    buf_free(&why);
    buf_free(&findings);
    identity_unref(identity);
    cert_workload_free(workload);
}

static void own_leaf(const struct cert_spec *spec, const char *reason)
{
    struct cert cert = cert_make(spec);
    expect_fault(workload_of("web", &cert, &root), reason);
    cert_free(&cert);
}

static void own_certificate_faults(void)
{
    own_leaf(
        &(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .from = -7200, .until = -60 },
        "/etc/test/cert.pem: the certificate expired on 20");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .from = 600 },
             "/etc/test/cert.pem: the certificate is not valid before 20");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("other"), .issuer = &root },
             "is for spiffe://mesh.local/ns/default/sa/other, but [workload] says "
             "spiffe://mesh.local/ns/default/sa/web");
    own_leaf(&(struct cert_spec){ .name = "w", .issuer = &root }, "carries no SPIFFE ID");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &other_root },
             "does not lead to a root in /etc/test/ca.pem");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &intermediate },
             "(issuer 'CN=intermediate')");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .ca = true }, "is a CA's");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .rsa_bits = 1024 },
             "EE certificate key too weak");
}

static struct workload *web_workload(struct cert *cert)
{
    *cert = cert_make(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .usage = BOTH });
    return workload_of("web", cert, &root);
}

static void set_text(struct pem_file *file, char *text)
{
    free(file->text);
    file->text = text;
    file->length = text ? strlen(text) : 0;
}

static void own_file_faults(void)
{
    struct cert cert, stranger = cert_make(&(struct cert_spec){ .name = "s" });
    struct workload *w;

    w = web_workload(&cert);
    set_text(&w->private_key, cert_key_pem(&stranger, KEY_PKCS8));
    expect_fault(
        w, "/etc/test/key.pem: the private key does not belong to the certificate in /etc/test/cert.pem");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->private_key, cert_key_pem(&cert, KEY_ENCRYPTED));
    expect_fault(w, "/etc/test/key.pem: the private key is encrypted");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->private_key, strdup("nothing"));
    expect_fault(w, "/etc/test/key.pem: holds no private key");
    cert_free(&cert);
    w = web_workload(&cert);
    w->private_key.text[40] = '!';
    expect_fault(w, "/etc/test/key.pem: holds a private key that is damaged");
    cert_free(&cert);
    w = web_workload(&cert);
    w->certificate.text[40] = '!';
    expect_fault(w, "/etc/test/cert.pem: certificate number 1 is damaged");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->trust_bundle, strdup(""));
    expect_fault(w, "/etc/test/ca.pem: holds no certificate");
    cert_free(&cert);
    cert_free(&stranger);
}

static void own_files_missing(void)
{
    struct cert cert;
    struct workload *w = web_workload(&cert);

    set_text(&w->certificate, NULL);
    w->certificate.error = ENOENT;
    expect_fault(w, "/etc/test/cert.pem: cannot be read: No such file or directory ([workload] certificate)");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->private_key, NULL);
    w->private_key.error = EACCES;
    expect_fault(w, "/etc/test/key.pem: cannot be read: Permission denied");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->trust_bundle, NULL);
    free(w->trust_bundle.path);
    w->trust_bundle.path = NULL;
    expect_fault(w, "[workload] trust_bundle is not set");
    cert_free(&cert);
}

static void examine_lists_all(void)
{
    struct workload *w =
        cert_workload("web", NULL, strdup("x"), strdup("-----BEGIN CERTIFICATE-----\nrubbish\n"));
    struct buf findings = BUF_INIT;

    CU_ASSERT_EQUAL(identity_examine(w, &findings), 3);
    expect_text(buf_text(&findings), "cert.pem: was not read");
    expect_text(buf_text(&findings), "key.pem: holds no private key");
    expect_text(buf_text(&findings), "ca.pem: certificate number 1 is damaged");
    buf_free(&findings);
    cert_workload_free(w);
}

static void examine_warns(void)
{
    struct cert cert = cert_make(&(struct cert_spec){ .name = "w",
                                                      .alt = ID("web"),
                                                      .issuer = &root,
                                                      .from = -8000,
                                                      .until = 3600,
                                                      .usage = "serverAuth" });
    const struct cert *bundle[] = { &root, &cert };
    struct workload *w = cert_workload("web", cert_chain_pem((const struct cert *const[]){ &cert }, 1),
                                       cert_key_pem(&cert, KEY_PKCS8), cert_chain_pem(bundle, 2));
    struct buf findings = BUF_INIT;

    CU_ASSERT_EQUAL(identity_examine(w, &findings), 0);
    expect_text(buf_text(&findings), "less than a third of its lifetime is left");
    expect_text(buf_text(&findings), "not meant for clients");
    expect_text(buf_text(&findings), "certificate 'CN=w' is not a CA's and is ignored");
    buf_free(&findings);
    cert_workload_free(w);
    cert_free(&cert);
}

/* PEM texts as tools and people write them. */
static char *dressed(char *pem, const char *before, bool crlf)
{
    char *out = malloc(2 * strlen(pem) + strlen(before) + 16), *to = out;

    to += snprintf(out, strlen(before) + 1, "%s", before);
    for (const char *p = pem; *p; p++) {
        if (*p == '\n' && crlf)
            *to++ = '\r';
        *to++ = *p;
    }
    *to = '\0';
    free(pem);
    return out;
}

static void check_accepted(struct workload *workload)
{
    struct buf why = BUF_INIT;
    struct identity *identity = identity_new(workload, &why);

    CU_ASSERT_PTR_NOT_NULL(identity);
    CU_ASSERT_STRING_EQUAL(buf_text(&why), "");
    if (identity) {
        struct peer_check client = check_of(true, NULL), server = check_of(false, NULL);
        struct outcome o =
            handshake(identity_client_context(honest), identity_server_context(identity), &client, &server);
        CU_ASSERT_TRUE(o.client && o.server);
        CU_ASSERT_STRING_EQUAL(identity_spiffe_id(identity), workload->spiffe_id);
        CU_ASSERT_TRUE(identity_not_after(identity) > time(NULL));
    }
    buf_free(&why);
    identity_unref(identity);
    cert_workload_free(workload);
}

static void forms_of_files(void)
{
    static const unsigned rsa[] = { 0, 2048 };

    for (int i = 0; i < 2; i++) {
        for (int form = KEY_PKCS8; form <= KEY_TRADITIONAL; form++) {
            struct cert cert = cert_make(
                &(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .rsa_bits = rsa[i] });
            const struct cert *leaf[] = { &cert }, *roots[] = { &other_root, &root };
            check_accepted(cert_workload(
                "web",
                dressed(cert_chain_pem(leaf, 1), "\xef\xbb\xbf# made by hand\r\nsubject=/CN=w\r\n", true),
                dressed(cert_key_pem(&cert, form),
                        "Key:\n-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                        "-----END EC PARAMETERS-----\n",
                        form == KEY_PKCS8),
                dressed(cert_chain_pem(roots, 2), "# roots\n\n", true)));
            cert_free(&cert);
        }
    }
}

/* The whole PEM of step's "bundle" order: leaf, intermediate, and the root as well; the key in the same file.
 */
static void chain_with_root_and_key(void)
{
    struct cert leaf =
        cert_make(&(struct cert_spec){ .name = "l", .alt = ID("web"), .issuer = &intermediate });
    const struct cert *chain[] = { &leaf, &intermediate, &root }, *bundle[] = { &root };
    char *certs = cert_chain_pem(chain, 3), *key = cert_key_pem(&leaf, KEY_PKCS8), *all, *turned;

    CU_ASSERT_TRUE_FATAL(asprintf(&all, "%s%s", key, certs) > 0);
    CU_ASSERT_TRUE_FATAL(asprintf(&turned, "%s%s", certs, key) > 0);
    free(certs);
    free(key);
    check_accepted(cert_workload("web", all, turned, cert_chain_pem(bundle, 1)));
    cert_free(&leaf);
}

/* An intermediate alone in the bundle anchors what it issued. */
static void intermediate_as_anchor(void)
{
    struct cert leaf =
        cert_make(&(struct cert_spec){ .name = "l", .alt = ID("web"), .issuer = &intermediate });
    struct identity *identity = identity_of("web", &leaf, &intermediate);
    struct peer_check client = check_of(true, NULL), server = check_of(false, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(identity);
    struct outcome o =
        handshake(identity_client_context(identity), identity_server_context(identity), &client, &server);
    CU_ASSERT_TRUE(o.client && o.server);
    o = handshake(identity_client_context(identity), identity_server_context(honest), &client, &server);
    CU_ASSERT_FALSE(o.client);
    CU_ASSERT_EQUAL(client.failure, FAILURE_CERTIFICATE);
    identity_unref(identity_ref(identity));
    identity_unref(identity);
    cert_free(&leaf);
}

static void spiffe_forms(void)
{
    static const struct {
        const char *id;
        bool good;
    } cases[] = {
        { "spiffe://mesh.local/ns/default/sa/web", true },
        { "spiffe://td/x", true },
        { "spiffe://td/A.b-c_9/..x", true },
        { "spiffe://td", false },
        { "spiffe://td/", false },
        { "spiffe:///x", false },
        { "spiffe://td//x", false },
        { "spiffe://td/x/", false },
        { "spiffe://td/./x", false },
        { "spiffe://td/x/..", false },
        { "spiffe://TD/x", false },
        { "SPIFFE://td/x", false },
        { "spiffe://td:80/x", false },
        { "spiffe://u@td/x", false },
        { "spiffe://td/x?y", false },
        { "spiffe://td/x#y", false },
        { "spiffe://td/%41", false },
        { "https://td/x", false },
        { "spiffe://td/a b", false },
        { "spiffe://td/\xc3\xa4", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(spiffe_well_formed(cases[i].id, strlen(cases[i].id)), cases[i].good);
    CU_ASSERT_FALSE(spiffe_well_formed("spiffe://td/x\0y", 15));
    CU_ASSERT_TRUE(spiffe_in_domain("spiffe://td/x", "td"));
    CU_ASSERT_FALSE(spiffe_in_domain("spiffe://tdx/x", "td"));
    CU_ASSERT_FALSE(spiffe_in_domain("spiffe://t/x", "td"));
}

static int make_authorities(void)
{
    struct cert web;

    root = cert_make(&(struct cert_spec){ .name = "root", .ca = true });
    other_root = cert_make(&(struct cert_spec){ .name = "other root", .ca = true });
    same_name_root = cert_make(&(struct cert_spec){ .name = "root", .ca = true });
    intermediate = cert_make(&(struct cert_spec){ .name = "intermediate", .ca = true, .issuer = &root });
    web = cert_make(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .usage = BOTH });
    honest = identity_of("web", &web, &root);
    cert_free(&web);
    return honest ? 0 : 1;
}

static int free_authorities(void)
{
    identity_unref(honest);
    cert_free(&root);
    cert_free(&other_root);
    cert_free(&same_name_root);
    cert_free(&intermediate);
    return 0;
}

static CU_TestInfo tests[] = {
    { "two of ours, and the memory of chains", both_ours },
    { "good peers", good_peers },
    { "expired, not yet valid", dates },
    { "other CA, self-signed, CA of the same name", issuers },
    { "a foreign root sent along", foreign_root_sent_along },
    { "no name, two, another trust domain", names },
    { "a name too long", long_name },
    { "whom we wanted", wanted_list },
    { "the memory of chains is not one of identities", memory_of_chains_is_not_of_identities },
    { "a CA's certificate as a workload's", authorities_are_no_workloads },
    { "a leaf as issuer", leaf_as_issuer },
    { "extended key usage", purposes },
    { "intermediate certificates", intermediates },
    { "no certificate", no_certificate },
    { "nobody said whom to expect", nobody_attached_is_refused },
    { "older protocols", older_protocols },
    { "a foreign client's ALPN", foreign_alpn },
    { "our certificate's faults", own_certificate_faults },
    { "our files' faults", own_file_faults },
    { "our files missing", own_files_missing },
    { "all findings", examine_lists_all },
    { "warnings", examine_warns },
    { "forms of files", forms_of_files },
    { "chain with root and key in one file", chain_with_root_and_key },
    { "an intermediate as anchor", intermediate_as_anchor },
    { "forms of SPIFFE IDs", spiffe_forms },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    CU_SuiteInfo suites[] = { { "identity", make_authorities, free_authorities, NULL, NULL, tests },
                              CU_SUITE_INFO_NULL };
    unsigned failures;

    alarm(120);
    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return 1;
    CU_basic_run_tests();
    failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
