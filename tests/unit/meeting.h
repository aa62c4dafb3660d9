/* Authorities, an honest workload of ours, and real handshakes in memory with whoever comes. */
#ifndef MESHSHIM_TEST_MEETING_H
#define MESHSHIM_TEST_MEETING_H

#include <CUnit/Basic.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/identity.h"

#include "certs.c"

#define ID(name) "URI:spiffe://mesh.local/ns/default/sa/" name
#define BOTH     "serverAuth,clientAuth"

static struct cert root, other_root, same_name_root, intermediate;
static struct identity *honest; /* default/web, by root */

static inline struct workload *workload_of(const char *name, const struct cert *cert,
                                           const struct cert *bundle)
{
    return cert_workload(name, cert_chain_pem(&cert, 1), cert_key_pem(cert, KEY_PKCS8),
                         cert_chain_pem(&bundle, 1));
}

/* NULL, and why on standard output, where it cannot be had. Also called outside of tests: asserts nothing. */
static inline struct identity *identity_of(const char *name, const struct cert *cert,
                                           const struct cert *bundle)
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
static inline SSL_CTX *foreign(const struct cert *const *certs, int count)
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

static inline void note_alert(const SSL *ssl, int where, int value)
{
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        *(int *)SSL_get_app_data(ssl) = value & 0xff;
}

static inline SSL *end_of(SSL_CTX *context, BIO *in, BIO *out, struct peer_check *check, int *alert)
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

static inline void step(SSL *ssl, bool *done, char *error, size_t room)
{
    int result = SSL_do_handshake(ssl);
    bool waiting = result != 1 && SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ;

    *done = result == 1;
    if (result != 1 && !waiting && !*error)
        identity_openssl_error(error, room);
}

static inline struct outcome handshake(SSL_CTX *client_context, SSL_CTX *server_context,
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

static inline struct peer_check check_of(bool peer_is_server, const struct identity_list *wanted)
{
    struct peer_check check = { .trust_domain = "mesh.local",
                                .wanted = wanted,
                                .peer_is_server = peer_is_server };
    return check;
}

static inline void expect_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        printf("\n    '%s' does not say '%s'\n", text, part);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
}

/*
 * The honest side, as client and as server, meets a peer with this chain, and refuses it with this failure,
 * alert and sentence; reason NULL: accepts it.
 */
static inline void meet(const struct cert *const *certs, int count, const struct identity_list *wanted,
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

static inline void meet_leaf(const struct cert_spec *spec, enum stats_failure failure, int alert,
                             const char *reason)
{
    struct cert cert = cert_make(spec);
    const struct cert *certs[] = { &cert };

    meet(certs, 1, NULL, failure, alert, reason);
    cert_free(&cert);
}

static inline int make_authorities(void)
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

static inline int free_authorities(void)
{
    identity_unref(honest);
    cert_free(&root);
    cert_free(&other_root);
    cert_free(&same_name_root);
    cert_free(&intermediate);
    return 0;
}

#endif
