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
#include "tls/suite.h"

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
    if (!r || !r->has ||
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

/* A session that comes of another one ends when that one would have: the hour is that of the certificates that were shown. */
static void keep(const struct resumption *r, SSL *ssl, const uint8_t *exporter, bool resumed)
{
    int64_t proven_until = resumed ? r->session.proven_until : r->check->valid_until;
    struct session made = { .proven_until = least(proven_until, identity_not_after(r->identity)) };
    enum aead_suite suite;
    int64_t now = (int64_t)time(NULL);
    struct session_place place;
    made.until = least(resumed ? r->session.until : now + SESSION_SECONDS, made.proven_until);
    snprintf(made.peer, sizeof made.peer, "%s", r->check->peer_id);
    if (!speaks_ours(ssl) || !suite_of(ssl, &suite))
        return;
    made.suite = (uint8_t)suite;
    if (derive(r, exporter, &made)) {
        place = place_of(r, r->is_server ? made.handle : r->place);
        sessions_put(&place, &made, now);
    }
    OPENSSL_cleanse(&made, sizeof made);
}

/* ---- life ---- */

static void set_destination(struct resumption *r, const char *destination)
{
    unsigned length;
    if (EVP_Digest(destination, strlen(destination), r->place, &length, EVP_sha256(), NULL) == 1)
        take(r, r->place);
}

bool resumption_begin(struct resumption *r, SSL *ssl, struct identity *identity, struct peer_check *check,
                      const char *destination)
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
        set_destination(r, destination);
        SSL_set_psk_use_session_callback(ssl, offer);
    }
    return true;
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
