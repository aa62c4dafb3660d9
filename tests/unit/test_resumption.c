/* Resumed handshakes over a socket pair: when they are, and all that keeps them from it. */
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>

#include "check.h"
#include "meeting.h"
#include "tls/handshake.h"
#include "tls/sessions.h"

static char *web_patterns[] = { (char[]){ "default/web" } }, *api_patterns[] = { (char[]){ "default/api" } };
static const struct identity_list only_web = { web_patterns, 1 }, only_api = { api_patterns, 1 };
static struct cert web, api, web_anew;
static struct identity *client, *server; /* default/web and default/api, by root */

/* What one connection is about; `said` is the client's first flight. */
struct meeting {
    struct handshake_terms client, server;
    enum handshake_status client_end, server_end;
    bool client_resumed, server_resumed, keys_agree;
    uint8_t said[4096];
    size_t said_length;
    int sides[2];
};

static struct meeting ordinary(void)
{
    struct meeting m = {
        .client = { client, false, NULL, true, "10.0.0.1:80", "mesh.local", &only_api },
        .server = { server, true, NULL, true, NULL, "mesh.local", &only_web },
    };
    return m;
}

static void open_sides(struct meeting *m)
{
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, m->sides), 0);
}

static void close_sides(struct meeting *m)
{
    close(m->sides[0]);
    close(m->sides[1]);
}

static void compare_keys(struct meeting *m, struct handshake *c, struct handshake *s)
{
    struct keys up[2], down[2];
    m->keys_agree = handshake_keys(c, &up[0], &down[0]) && handshake_keys(s, &down[1], &up[1]) &&
                    memcmp(up[0].key, up[1].key, AEAD_KEY) == 0 &&
                    memcmp(down[0].key, down[1].key, AEAD_KEY) == 0;
    CU_ASSERT_STRING_EQUAL(handshake_peer_id(c), "spiffe://mesh.local/ns/default/sa/api");
    CU_ASSERT_STRING_EQUAL(handshake_peer_id(s), "spiffe://mesh.local/ns/default/sa/web");
}

static void meet_again(struct meeting *m)
{
    struct handshake *c = handshake_new(&m->client), *s = handshake_new(&m->server);
    open_sides(m);
    m->client_end = m->server_end = HANDSHAKE_WANTS_READ;
    for (int i = 0; i < 10; i++) {
        if (m->client_end < HANDSHAKE_DONE)
            m->client_end = handshake_step(c, m->sides[0]);
        if (i == 0)
            m->said_length = (size_t)recv(m->sides[1], m->said, sizeof m->said, MSG_PEEK | MSG_DONTWAIT);
        if (m->server_end < HANDSHAKE_DONE)
            m->server_end = handshake_step(s, m->sides[1]);
    }
    m->client_resumed = handshake_resumed(c);
    m->server_resumed = handshake_resumed(s);
    if (m->client_end == HANDSHAKE_DONE && m->server_end == HANDSHAKE_DONE)
        compare_keys(m, c, s);
    handshake_free(c);
    handshake_free(s);
    close_sides(m);
}

static bool is_full(struct meeting m)
{
    meet_again(&m);
    return m.client_end == HANDSHAKE_DONE && m.server_end == HANDSHAKE_DONE && m.keys_agree &&
           !m.client_resumed && !m.server_resumed;
}

static bool is_resumed(struct meeting m)
{
    meet_again(&m);
    return m.client_end == HANDSHAKE_DONE && m.server_end == HANDSHAKE_DONE && m.keys_agree &&
           m.client_resumed && m.server_resumed;
}

static void throw_away(enum session_side side, const struct session_place *place)
{
    struct session session;
    (void)side;
    while (sessions_take(place, &session, 0))
        ;
}

/* Where the client keeps what it has for that address. */
static struct session_place clients_place(const char *destination)
{
    struct session_place place = { .side = SESSION_CLIENT };
    unsigned length;
    EVP_Digest(destination, strlen(destination), place.key, &length, EVP_sha256(), NULL);
    memcpy(place.mark, identity_mark(client), sizeof place.mark);
    return place;
}

static void forget(void)
{
    struct session_place place = clients_place("10.0.0.1:80");
    throw_away(SESSION_CLIENT, &place);
}

static void resumed_from_the_second_on(void)
{
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    for (int i = 0; i < 5; i++)
        CU_ASSERT_TRUE(is_resumed(ordinary()));
}

/* One handshake leaves one session. */
static void once_each(void)
{
    struct session_place place = clients_place("10.0.0.1:80");
    struct session session, other;
    int64_t now;
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    now = (int64_t)time(NULL); /* what lasts longer than it may from now on is not taken */
    CU_ASSERT_TRUE(sessions_take(&place, &session, now));
    CU_ASSERT_FALSE(sessions_take(&place, &other, now));
    sessions_put(&place, &session, now);
    CU_ASSERT_TRUE(is_resumed(ordinary()));
    forget();
    sessions_put(&place, &session, now); /* again, which the server has already given away */
    CU_ASSERT_TRUE(is_full(ordinary()));
    CU_ASSERT_TRUE(session.until <= now + SESSION_SECONDS && session.proven_until <= now + 24 * 3600);
}

static void another_destination(void)
{
    struct meeting m = ordinary();
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    m.client.destination = "10.0.0.2:80";
    CU_ASSERT_TRUE(is_full(m));
    CU_ASSERT_TRUE(is_resumed(m));
    CU_ASSERT_TRUE(is_resumed(ordinary()));
}

static void switched_off_at_either_end(void)
{
    struct meeting m = ordinary();
    forget();
    m.server.resumes = false;
    CU_ASSERT_TRUE(is_full(m));
    CU_ASSERT_TRUE(is_full(m));
    m.server.resumes = true;
    m.client.resumes = false;
    CU_ASSERT_TRUE(is_full(m));
    CU_ASSERT_TRUE(is_full(m));
}

/* By `end`: it is asked for its certificate, and refused by it. */
static void is_refused(struct meeting *m, const enum handshake_status *end)
{
    meet_again(m);
    CU_ASSERT_EQUAL(*end, HANDSHAKE_FAILED);
    CU_ASSERT_FALSE(m->server_resumed || m->client_resumed);
}

/* The lists of today: who may no longer come. */
static void judged_anew_by_the_server(void)
{
    struct meeting m = ordinary();
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    m.server.wanted = &only_api;
    is_refused(&m, &m.server_end);
    CU_ASSERT_TRUE(is_full(ordinary())); /* the session is gone */
    m = ordinary();
    m.server.trust_domain = "other.local";
    is_refused(&m, &m.server_end);
}

static void judged_anew_by_the_client(void)
{
    struct meeting m = ordinary();
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    m.client.wanted = &only_web;
    is_refused(&m, &m.client_end);
}

/* Another certificate or another bundle, at either end: sessions of before are not found. */
static void another_identity(void)
{
    const struct cert *both[] = { &root, &other_root };
    struct identity *anew = identity_of("web", &web_anew, &root), *wider;
    struct workload *workload = cert_workload("api", cert_chain_pem(&(const struct cert *){ &api }, 1),
                                              cert_key_pem(&api, KEY_PKCS8), cert_chain_pem(both, 2));
    struct buf why = BUF_INIT;
    struct meeting m = ordinary();
    wider = identity_new(workload, &why);
    CU_ASSERT_TRUE_FATAL(anew && wider);
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    m.client.identity = anew;
    CU_ASSERT_TRUE(is_full(m));
    m = ordinary();
    m.server.identity = wider;
    CU_ASSERT_TRUE(is_full(m));
    CU_ASSERT_TRUE(is_resumed(m));
    identity_unref(anew);
    identity_unref(wider);
    cert_workload_free(workload);
    buf_free(&why);
}

/* The server's root is no longer believed: no session, and no handshake. */
static void a_revoked_root(void)
{
    struct identity *distrusting = identity_of("web", &(struct cert){ web.x509, web.key }, &root);
    struct workload *workload;
    const struct cert *leaf = &web, *bundle = &other_root;
    struct cert by_other =
        cert_make(&(struct cert_spec){ .name = "web", .alt = ID("web"), .issuer = &other_root });
    struct buf why = BUF_INIT;
    struct meeting m = ordinary();
    identity_unref(distrusting);
    leaf = &by_other;
    workload = cert_workload("web", cert_chain_pem(&leaf, 1), cert_key_pem(leaf, KEY_PKCS8),
                             cert_chain_pem(&bundle, 1));
    distrusting = identity_new(workload, &why);
    CU_ASSERT_PTR_NOT_NULL_FATAL(distrusting);
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    m.client.identity = distrusting;
    meet_again(&m);
    CU_ASSERT_EQUAL(m.client_end, HANDSHAKE_FAILED);
    identity_unref(distrusting);
    cert_workload_free(workload);
    cert_free(&by_other);
    buf_free(&why);
}

static void no_longer_valid(void)
{
    struct session_place place = clients_place("10.0.0.1:80");
    struct session session;
    int64_t now;
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    now = (int64_t)time(NULL); /* what lasts longer than it may from now on is not taken */
    CU_ASSERT_TRUE(sessions_take(&place, &session, now));
    session.until = now; /* an hour later */
    sessions_put(&place, &session, now - 1);
    CU_ASSERT_TRUE(is_full(ordinary()));
}

/* Nor the hour since they were shown. */
static void the_hour_does_not_begin_anew(void)
{
    struct session_place place = clients_place("10.0.0.1:80");
    struct session session;
    int64_t now;
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    now = (int64_t)time(NULL); /* what lasts longer than it may from now on is not taken */
    CU_ASSERT_TRUE(sessions_take(&place, &session, now));
    session.until = now + 100;
    sessions_put(&place, &session, now);
    CU_ASSERT_TRUE(is_resumed(ordinary()));
    CU_ASSERT_TRUE(sessions_take(&place, &session, now));
    CU_ASSERT_EQUAL(session.until, now + 100);
}

/* Resuming again and again does not outlive the certificates that were shown at first. */
static void the_first_proof_counts(void)
{
    struct session_place place = clients_place("10.0.0.1:80");
    struct session session;
    int64_t now;
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    now = (int64_t)time(NULL); /* what lasts longer than it may from now on is not taken */
    CU_ASSERT_TRUE(sessions_take(&place, &session, now));
    session.proven_until = session.until = now + 100;
    sessions_put(&place, &session, now);
    CU_ASSERT_TRUE(is_resumed(ordinary()));
    CU_ASSERT_TRUE(sessions_take(&place, &session, now));
    CU_ASSERT_EQUAL(session.proven_until, now + 100);
    CU_ASSERT_EQUAL(session.until, now + 100);
}

static void the_servers_first_record(const uint8_t *said, size_t length, bool *full)
{
    struct meeting m = ordinary();
    struct handshake *s = handshake_new(&m.server);
    uint8_t answer[8192];
    ssize_t n;
    open_sides(&m);
    CU_ASSERT_EQUAL(send(m.sides[0], said, length, 0), (ssize_t)length);
    CU_ASSERT_NOT_EQUAL(handshake_step(s, m.sides[1]), HANDSHAKE_DONE);
    n = recv(m.sides[0], answer, sizeof answer, MSG_DONTWAIT);
    *full = n > 700; /* with a certificate */
    handshake_free(s);
    close_sides(&m);
}

/* Who sends a hello again that was recorded gets a full handshake, which it cannot go through. */
static void a_replayed_hello(void)
{
    struct meeting m = ordinary();
    bool full;
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    meet_again(&m);
    CU_ASSERT_TRUE(m.server_resumed);
    for (int i = 0; i < 3; i++) {
        the_servers_first_record(m.said, m.said_length, &full);
        CU_ASSERT_TRUE(full);
    }
}

/* ---- OpenSSL's own client with a session that it made up, or stole ---- */

static struct session stolen;
static int offered;

static int offer_stolen(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *length,
                        SSL_SESSION **session)
{
    const unsigned char suite[2] = { 0x13, 0x01 };
    (void)md;
    offered++;
    *session = SSL_SESSION_new();
    SSL_SESSION_set1_master_key(*session, stolen.secret, 32);
    SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, suite));
    SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
    *id = stolen.handle;
    *length = sizeof stolen.handle;
    return 1;
}

/* Against the library's server. What became of the server; *reused: the client thinks that it resumed. */
static enum handshake_status foreign_client(const char *groups, bool *reused)
{
    struct meeting m = ordinary();
    struct handshake *s = handshake_new(&m.server);
    SSL_CTX *context = foreign(&(const struct cert *){ &web }, 1);
    SSL *ssl = SSL_new(context);
    enum handshake_status end = HANDSHAKE_WANTS_READ;
    open_sides(&m);
    fcntl(m.sides[0], F_SETFL, O_NONBLOCK);
    SSL_set_fd(ssl, m.sides[0]);
    SSL_set_connect_state(ssl);
    SSL_set_psk_use_session_callback(ssl, offer_stolen);
    CU_ASSERT_EQUAL(SSL_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256"), 1);
    if (groups)
        CU_ASSERT_EQUAL(SSL_set1_groups_list(ssl, groups), 1);
    offered = 0;
    for (int i = 0; i < 10 && end < HANDSHAKE_DONE; i++) {
        SSL_do_handshake(ssl);
        end = handshake_step(s, m.sides[1]);
    }
    *reused = SSL_session_reused(ssl) == 1;
    CU_ASSERT_TRUE(!*reused || handshake_resumed(s) || end == HANDSHAKE_FAILED);
    handshake_free(s);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close_sides(&m);
    ERR_clear_error();
    return end;
}

static void steal(void)
{
    struct session_place place = clients_place("10.0.0.1:80");
    forget();
    CU_ASSERT_TRUE(is_full(ordinary()));
    CU_ASSERT_TRUE(sessions_take(&place, &stolen, (int64_t)time(NULL)));
}

/* A handle that nobody knows changes nothing: the certificate counts. */
static void a_made_up_handle(void)
{
    bool reused;
    steal();
    stolen.handle[0] ^= 1;
    CU_ASSERT_EQUAL(foreign_client(NULL, &reused), HANDSHAKE_DONE);
    CU_ASSERT_FALSE(reused);
}

/* The handle of another's session, which went over the network in the clear, without the secret. */
static void a_handle_without_the_secret(void)
{
    bool reused;
    steal();
    stolen.secret[0] ^= 1;
    CU_ASSERT_EQUAL(foreign_client(NULL, &reused), HANDSHAKE_FAILED);
    CU_ASSERT_FALSE(reused);
    stolen.secret[0] ^= 1;
    CU_ASSERT_EQUAL(foreign_client(NULL, &reused), HANDSHAKE_DONE); /* and it is used up */
    CU_ASSERT_FALSE(reused);
}

/* HelloRetryRequest: the session is named twice, and taken once. */
static void a_second_hello(void)
{
    bool reused;
    steal();
    CU_ASSERT_EQUAL(foreign_client("P-521:X25519", &reused), HANDSHAKE_DONE);
    CU_ASSERT_TRUE(reused);
    CU_ASSERT_EQUAL(offered, 2);
    CU_ASSERT_EQUAL(foreign_client("P-521:X25519", &reused), HANDSHAKE_DONE);
    CU_ASSERT_FALSE(reused);
}

/* What a foreign peer, which is not ours by ALPN, has made of a handshake is not known: nothing is kept. */
static void foreign_peers_leave_nothing(void)
{
    unsigned before;
    bool reused;
    stolen = (struct session){ .handle = "nobody's" };
    before = sessions_count(SESSION_SERVER, (int64_t)time(NULL));
    CU_ASSERT_EQUAL(foreign_client(NULL, &reused), HANDSHAKE_DONE);
    CU_ASSERT_EQUAL(sessions_count(SESSION_SERVER, (int64_t)time(NULL)), before);
}

static int begin(void)
{
    sessions_open("/nowhere/at/all", "spiffe://me");
    root = cert_make(&(struct cert_spec){ .name = "root", .ca = true });
    other_root = cert_make(&(struct cert_spec){ .name = "other root", .ca = true });
    web = cert_make(&(struct cert_spec){ .name = "web", .alt = ID("web"), .issuer = &root });
    web_anew = cert_make(&(struct cert_spec){ .name = "web", .alt = ID("web"), .issuer = &root });
    api = cert_make(&(struct cert_spec){ .name = "api", .alt = ID("api"), .issuer = &root });
    client = identity_of("web", &web, &root);
    server = identity_of("api", &api, &root);
    return client && server ? 0 : 1;
}

static int end(void)
{
    identity_unref(client);
    identity_unref(server);
    cert_free(&root);
    cert_free(&other_root);
    cert_free(&web);
    cert_free(&web_anew);
    cert_free(&api);
    return 0;
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "resumed from the second on", resumed_from_the_second_on },
        { "once each", once_each },
        { "another destination", another_destination },
        { "switched off at either end", switched_off_at_either_end },
        { "judged anew by the server", judged_anew_by_the_server },
        { "judged anew by the client", judged_anew_by_the_client },
        { "another identity", another_identity },
        { "a revoked root", a_revoked_root },
        { "no longer valid", no_longer_valid },
        { "the first proof counts", the_first_proof_counts },
        { "the hour does not begin anew", the_hour_does_not_begin_anew },
        { "a replayed hello", a_replayed_hello },
        { "a made-up handle", a_made_up_handle },
        { "a handle without the secret", a_handle_without_the_secret },
        { "a second hello", a_second_hello },
        { "foreign peers leave nothing", foreign_peers_leave_nothing },
        CU_TEST_INFO_NULL,
    };
    return check_suite("resumption", begin, end, tests) ? 1 : 0;
}
