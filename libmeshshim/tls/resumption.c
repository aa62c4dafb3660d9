/* See resumption.h. */
#include "tls/resumption.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/banned.h"
#include "tls/hkdf.h"
#include "tls/peer.h"
#include "tls/psk_only.h"
#include "tls/suite.h"
#include "tls/ticket_session.h"

#define LABEL "EXPORTER-meshshim-resumption"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int slot = -1;

static void start(void)
{
    slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static struct session_place place_of(const struct resumption *r, const uint8_t *key)
{
    struct session_place place = { .side = r->is_server ? SESSION_SERVER : SESSION_CLIENT };
    memcpy(place.key, key, sizeof place.key);
    memcpy(place.mark, identity_mark(r->identity), sizeof place.mark);
    return place;
}

/* ---- the session that is to be resumed ---- */

/* Taken out of the table in any case: one that may not be used today is not worth keeping. */
static bool take(struct resumption *r, const uint8_t *key)
{
    struct session_place place = place_of(r, key);
    r->has =
        sessions_take(&place, &r->session, (int64_t)time(NULL)) && peer_is_wanted(r->check, r->session.peer);
    if (!r->has)
        OPENSSL_cleanse(&r->session, sizeof r->session);
    return r->has;
}

/* As OpenSSL wants it; NULL: out of memory. */
static SSL_SESSION *as_session(SSL *ssl, const struct session *from)
{
    SSL_SESSION *session = SSL_SESSION_new();
    size_t length = suite_secret_length((enum aead_suite)from->suite);
    if (session && SSL_SESSION_set1_master_key(session, from->secret, length) == 1 &&
        SSL_SESSION_set_cipher(session, suite_cipher(ssl, (enum aead_suite)from->suite)) == 1 &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1 &&
        SSL_SESSION_set1_id_context(session, (const unsigned char *)IDENTITY_CONTEXT,
                                    sizeof IDENTITY_CONTEXT - 1) == 1)
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

/* Called for each hello: twice, where the server wants another group. */
static int offer(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *length, SSL_SESSION **session)
{
    struct resumption *r = SSL_get_ex_data(ssl, slot);
    *session = NULL;
    if (!r || !r->has || r->session.ticket_length ||
        (md && (size_t)EVP_MD_get_size(md) != suite_secret_length((enum aead_suite)r->session.suite)))
        return 1;
    *session = as_session(ssl, &r->session);
    *id = r->session.handle;
    *length = sizeof r->session.handle;
    return 1;
}

/* One handle a handshake: a hello may name many, and guess. The second hello after HelloRetryRequest names the same. */
static int find(SSL *ssl, const unsigned char *id, size_t length, SSL_SESSION **session)
{
    struct resumption *r = SSL_get_ex_data(ssl, slot);
    *session = NULL;
    if (!r || length != sizeof r->session.handle)
        return 1;
    if (!r->asked) {
        r->asked = true;
        take(r, id);
    }
    if (r->has && CRYPTO_memcmp(id, r->session.handle, length) == 0)
        *session = as_session(ssl, &r->session);
    return 1;
}

/* ---- the session that this handshake leaves behind ---- */

/* What both ends think who they are goes into the secret. */
static bool derive(const struct resumption *r, const uint8_t *exporter, struct session *made)
{
    const char *own = identity_spiffe_id(r->identity), *peer = r->check->peer_id;
    uint8_t out[SESSION_KEY + KEYS_SECRET];
    size_t secret = suite_secret_length((enum aead_suite)made->suite);
    char context[2 * SESSION_PEER];
    int n = snprintf(context, sizeof context, "%s\n%s", r->is_server ? peer : own, r->is_server ? own : peer);
    bool ok =
        n > 0 && hkdf_export((enum hkdf_hash)secret, exporter, (struct hkdf_bytes){ LABEL, sizeof LABEL - 1 },
                             (struct hkdf_bytes){ context, (size_t)n }, out, sizeof made->handle + secret);
    if (ok) {
        memcpy(made->handle, out, sizeof made->handle);
        memcpy(made->secret, out + sizeof made->handle, secret);
    }
    OPENSSL_cleanse(out, sizeof out);
    return ok;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool speaks_ours(const SSL *ssl)
{
    const unsigned char *name;
    unsigned length;
    SSL_get0_alpn_selected(ssl, &name, &length);
    return length == 8 && memcmp(name, "meshshim", 8) == 0;
}

/*
 * Whom this handshake has proved, and until when. A session that comes of another one ends when that one would have: the hour is that of the
 * certificates that were shown.
 */
static struct session proof(const struct resumption *r, bool resumed, int64_t now)
{
    int64_t proven_until = resumed ? r->session.proven_until : r->check->valid_until;
    struct session made = { .proven_until = least(proven_until, identity_not_after(r->identity)) };
    made.until = least(resumed ? r->session.until : now + SESSION_SECONDS, made.proven_until);
    snprintf(made.peer, sizeof made.peer, "%s", r->check->peer_id);
    return made;
}

static void keep(const struct resumption *r, SSL *ssl, const uint8_t *exporter, bool resumed)
{
    int64_t now = (int64_t)time(NULL);
    struct session made = proof(r, resumed, now);
    enum aead_suite suite;
    struct session_place place;
    if (!speaks_ours(ssl) || !suite_of(ssl, &suite))
        return;
    made.suite = (uint8_t)suite;
    made.exchanges = resumed ? r->session.exchanges : r->psk_only;
    if (derive(r, exporter, &made)) {
        place = place_of(r, r->is_server ? made.handle : r->place);
        sessions_put(&place, &made, now);
    }
    OPENSSL_cleanse(&made, sizeof made);
}

void resumption_expect_tickets(const struct resumption *r, SSL *ssl, const uint8_t *master, size_t length,
                               struct tickets *tickets)
{
    bool resumed = SSL_session_reused(ssl) == 1;
    struct session made;
    enum aead_suite suite;
    if (!r->enabled || r->is_server || !r->check->accepted || speaks_ours(ssl) || !suite_of(ssl, &suite) ||
        length != suite_secret_length(suite))
        return;
    made = proof(r, resumed, (int64_t)time(NULL));
    *tickets = (struct tickets){ .until = made.until,
                                 .proven_until = made.proven_until,
                                 .suite = (uint8_t)suite,
                                 .wanted = TICKETS_MOST };
    memcpy(tickets->secret, master, length);
    memcpy(tickets->place, r->named, sizeof tickets->place);
    memcpy(tickets->mark, identity_mark(r->identity), sizeof tickets->mark);
}

/* ---- life ---- */

static bool digest_of(const char *destination, const char *name, uint8_t out[SESSION_KEY])
{
    char text[512];
    unsigned length;
    int n = snprintf(text, sizeof text, "%s%s%s", destination, name ? "\n" : "", name ? name : "");
    return n > 0 && (size_t)n < sizeof text &&
           EVP_Digest(text, (size_t)n, out, &length, EVP_sha256(), NULL) == 1;
}

/* What a server of another kind gave us. */
static void take_ticket(struct resumption *r, SSL *ssl)
{
    struct session_place place = place_of(r, r->named);
    uint8_t *ticket = OPENSSL_malloc(SESSION_TICKET);
    SSL_SESSION *like, *session = NULL;
    place.side = SESSION_FOREIGN;
    if (ticket && sessions_take_ticket(&place, &r->session, ticket, (int64_t)time(NULL)) &&
        peer_is_wanted(r->check, r->session.peer)) {
        like = as_session(ssl, &r->session);
        session = like ? ticket_session(like, &r->session, ticket) : NULL;
        SSL_SESSION_free(like);
    }
    r->has = session && SSL_set_session(ssl, session) == 1;
    if (!r->has)
        OPENSSL_cleanse(&r->session, sizeof r->session);
    SSL_SESSION_free(session);
    OPENSSL_free(ticket);
}

static void set_destination(struct resumption *r, SSL *ssl, const char *destination)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (digest_of(destination, NULL, r->place) && digest_of(destination, name ? name : "", r->named) &&
        !take(r, r->place))
        take_ticket(r, ssl);
}

bool resumption_begin(struct resumption *r, SSL *ssl, struct identity *identity, struct peer_check *check,
                      const char *destination, bool psk_only)
{
    pthread_once(&once, start);
    *r = (struct resumption){
        .identity = identity, .check = check, .is_server = !destination, .enabled = true
    };
    if (SSL_set_ex_data(ssl, slot, r) != 1)
        return false;
    if (r->is_server) {
        SSL_set_psk_find_session_callback(ssl, find);
    } else {
        set_destination(r, ssl, destination);
        SSL_set_psk_use_session_callback(ssl, offer);
    }
    /* A server that did not want it yet is asked again when its certificate was shown again. */
    r->psk_only = psk_only && r->has && !r->session.ticket_length && !r->session.exchanges;
    if (r->psk_only || (psk_only && r->is_server))
        SSL_set_options(ssl, SSL_OP_ALLOW_NO_DHE_KEX);
    return !r->psk_only || psk_only_begin(ssl);
}

bool resumption_settle(struct resumption *r, SSL *ssl, const uint8_t *exporter)
{
    bool resumed = r->enabled && SSL_session_reused(ssl) == 1;
    if (resumed && !(r->has && peer_accept(r->check, r->session.peer)))
        return false;
    if (r->enabled && r->check->accepted && exporter)
        keep(r, ssl, exporter, resumed);
    return resumed;
}

void resumption_end(struct resumption *r)
{
    OPENSSL_cleanse(&r->session, sizeof r->session);
}
