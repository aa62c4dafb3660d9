// links: tests/unit/certs.c
/*
 * A handshake over a socket pair with a peer whose bytes are altered on the way. The first byte is the library's role; then either
 * the peer's bytes are all there is (raw), or an honest OpenSSL is the peer and the rest says what becomes of its bytes: three bytes
 * for where, one for how. Both may know a session, and resume it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../unit/certs.h"
#include "input.h"
#include "tls/handshake.h"
#include "tls/identity.h"
#include "tls/sessions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { SERVER = 1, RAW = 2, RESUMES = 4, ROUNDS = 12, MOST = 64 * 1024 };

static struct identity *ours;
static SSL_CTX *theirs;
static struct workload *workload;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct cert root, leaf; /* kept */
    const struct cert *chain = &leaf, *bundle = &root;
    struct buf why = BUF_INIT;

    (void)argc;
    (void)argv;
    root = cert_make(&(struct cert_spec){ .name = "root", .ca = true });
    leaf = cert_make(&(struct cert_spec){
        .name = "web", .alt = "URI:spiffe://mesh.local/ns/default/sa/web", .issuer = &root });
    workload = cert_workload("web", cert_chain_pem(&chain, 1), cert_key_pem(&leaf, KEY_PKCS8),
                             cert_chain_pem(&bundle, 1));
    ours = identity_new(workload, &why);
    must(ours != NULL);
    sessions_open("/nowhere", "spiffe://mesh.local/ns/default/sa/web");
    theirs = SSL_CTX_new(TLS_method());
    SSL_CTX_use_certificate(theirs, leaf.x509);
    SSL_CTX_use_PrivateKey(theirs, leaf.key);
    SSL_CTX_set_verify(theirs, SSL_VERIFY_NONE, NULL);
    return 0;
}

/* What is done to the peer's bytes, by their place in all that it says. */
static void alter(const uint8_t *how, size_t n, uint8_t *bytes, size_t from, size_t count)
{
    for (; n >= 4; how += 4, n -= 4) {
        size_t where = ((size_t)how[0] << 8 | how[1]) % MOST;
        if (where < from || where >= from + count)
            continue;
        if (how[2] & 1)
            bytes[where - from] = how[3];
        else
            bytes[where - from] ^= how[3];
    }
}

/* ---- a session that both ends know ---- */

#define DESTINATION "10.0.0.1:80"
static struct session session = { .handle = "a handle",
                                  .secret = "a secret",
                                  .peer = "spiffe://mesh.local/ns/default/sa/web" };

static SSL_SESSION *theirs_of(SSL *ssl)
{
    const unsigned char suite[2] = { 0x13, 0x01 };
    SSL_SESSION *made = SSL_SESSION_new();
    SSL_SESSION_set1_master_key(made, session.secret, 32);
    SSL_SESSION_set_cipher(made, SSL_CIPHER_find(ssl, suite));
    SSL_SESSION_set_protocol_version(made, TLS1_3_VERSION);
    return made;
}

static int offer(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *length, SSL_SESSION **offered)
{
    *offered = md && EVP_MD_get_size(md) != 32 ? NULL : theirs_of(ssl);
    *id = session.handle;
    *length = sizeof session.handle;
    return 1;
}

static int find(SSL *ssl, const unsigned char *id, size_t length, SSL_SESSION **found)
{
    *found =
        length == sizeof session.handle && memcmp(id, session.handle, length) == 0 ? theirs_of(ssl) : NULL;
    return 1;
}

/* In the library's table, for its role. */
static void know_session(bool is_server)
{
    struct session_place place = { .side = is_server ? SESSION_SERVER : SESSION_CLIENT };
    unsigned length;
    session.until = session.proven_until = (int64_t)time(NULL) + 60;
    if (is_server)
        memcpy(place.key, session.handle, sizeof place.key);
    else
        EVP_Digest(DESTINATION, strlen(DESTINATION), place.key, &length, EVP_sha256(), NULL);
    memcpy(place.mark, identity_mark(ours), sizeof place.mark);
    sessions_put(&place, &session, session.until - 60);
}

static SSL *honest_peer(bool is_server)
{
    SSL *ssl = SSL_new(theirs);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (is_server) {
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl;
}

/* What the library has sent, to the peer; what it answers, altered, to the library. False: nothing more comes of it. */
static bool exchange(SSL *peer, int fd, const uint8_t *how, size_t n, size_t *said)
{
    uint8_t bytes[16384];
    ssize_t got;
    int put;
    while ((got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        BIO_write(SSL_get_rbio(peer), bytes, (int)got);
    SSL_do_handshake(peer);
    ERR_clear_error();
    put = BIO_read(SSL_get_wbio(peer), bytes, sizeof bytes);
    if (put <= 0)
        return false;
    alter(how, n, bytes, *said, (size_t)put);
    *said += (size_t)put;
    return send(fd, bytes, (size_t)put, MSG_DONTWAIT | MSG_NOSIGNAL) == put;
}

static void judge(struct handshake *h, enum handshake_status status, bool altered)
{
    struct keys send, receive;
    if (status == HANDSHAKE_DONE) {
        must(strcmp(handshake_peer_id(h), "spiffe://mesh.local/ns/default/sa/web") == 0);
        must(handshake_keys(h, &send, &receive));
    } else if (status == HANDSHAKE_FAILED) {
        must(handshake_fault(h)->error != 0 && handshake_fault(h)->text[0] != '\0');
    } else {
        must(altered); /* honest peers come to an end */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct handshake_terms terms = { .identity = ours, .trust_domain = "mesh.local" };
    enum handshake_status status = HANDSHAKE_WANTS_READ;
    struct handshake *h;
    size_t said = 0;
    SSL *peer = NULL;
    int pair[2];

    if (size < 1 || size > MOST)
        return 0;
    terms.is_server = data[0] & SERVER;
    terms.resumes = data[0] & RESUMES;
    terms.destination = DESTINATION;
    if (terms.resumes)
        know_session(terms.is_server);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    h = handshake_new(&terms);
    must(h != NULL);
    if (data[0] & RAW) {
        send(pair[1], data + 1, size - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        shutdown(pair[1], SHUT_WR);
        status = handshake_step(h, pair[0]);
        must(status == HANDSHAKE_FAILED);
    } else {
        peer = honest_peer(!terms.is_server);
        if (terms.resumes) {
            SSL_set_ciphersuites(peer, "TLS_AES_128_GCM_SHA256");
            SSL_set_psk_use_session_callback(peer, offer);
            SSL_set_psk_find_session_callback(peer, find);
        }
        for (int i = 0; i < ROUNDS; i++) {
            status = handshake_step(h, pair[0]);
            if (status == HANDSHAKE_DONE || status == HANDSHAKE_FAILED ||
                (!exchange(peer, pair[1], data + 1, size - 1, &said) && i > 2))
                break;
        }
    }
    judge(h, status, size >= 5);
    must(status != HANDSHAKE_DONE || size >= 5 || handshake_resumed(h) == terms.resumes);
    SSL_free(peer);
    handshake_free(h);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
