/* See handshake.h. */
#include "tls/handshake.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/once.h"
#include "tls/identity.h"
#include "tls/record.h"
#include "tls/resumption.h"
#include "tls/schedule.h"
#include "tls/suite.h"

/* Which of OpenSSL's key log are wanted: both ends' traffic secrets, and the exporter's. */
enum { CLIENT_SECRET, SERVER_SECRET, EXPORTER_SECRET, SECRETS };
static const char *const secret_names[SECRETS] = { "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0",
                                                   "EXPORTER_SECRET" };

enum { FIRST_BYTES = 16 };

struct handshake {
    SSL *ssl;
    struct identity *identity;
    struct peer_check check;
    struct resumption resumption;
    bool resumed;
    struct handshake_fault fault;
    int fd;
    int io_error;               /* errno of the last real call that failed, 0: none */
    bool ended;                 /* the peer closed its side */
    uint8_t first[FIRST_BYTES]; /* what the peer sent first, for the sentence */
    size_t received;
    uint8_t secrets[SECRETS][KEYS_SECRET];
    bool have_secret[SECRETS];
    struct schedule_catch master;
};

/* ---- the BIO ---- */

static struct handshake *of_bio(BIO *bio)
{
    return BIO_get_data(bio);
}

static int bio_read(BIO *bio, char *data, int n)
{
    struct handshake *h = of_bio(bio);
    ssize_t got;
    BIO_clear_retry_flags(bio);
    do
        got = libc.recv(h->fd, data, (size_t)n, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        if (h->received < FIRST_BYTES) {
            size_t room = FIRST_BYTES - h->received, take = (size_t)got < room ? (size_t)got : room;
            memcpy(h->first + h->received, data, take);
        }
        h->received += (size_t)got;
    } else if (got == 0) {
        h->ended = true;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        BIO_set_retry_read(bio);
    } else {
        h->io_error = errno;
    }
    return (int)got;
}

static int bio_write(BIO *bio, const char *data, int n)
{
    struct handshake *h = of_bio(bio);
    ssize_t put;
    BIO_clear_retry_flags(bio);
    do
        put = libc.send(h->fd, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    else if (put < 0)
        h->io_error = errno;
    return (int)put;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;
static int app_slot = -1;
static struct once once;

static bool start(void)
{
    if (!method)
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "meshshim socket");
    if (method) {
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    if (app_slot < 0)
        app_slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return method && app_slot >= 0;
}

static BIO *make_bio(struct handshake *h)
{
    BIO *bio = BIO_new(method);
    if (bio) {
        BIO_set_data(bio, h);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- keys, from the lines of OpenSSL's key log: LABEL client_random secret ---- */

static int nibble(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static bool unhex(const char *hex, uint8_t *out, size_t most)
{
    size_t n = 0;
    for (; isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]) && n < most; hex += 2)
        out[n++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
    return n == 32 || n == 48;
}

static void on_key(const SSL *ssl, const char *line)
{
    struct handshake *h = SSL_get_ex_data(ssl, app_slot);
    size_t name = strcspn(line, " ");
    for (size_t i = 0; h && i < SECRETS; i++) {
        const char *secret;
        if (strncmp(line, secret_names[i], name) != 0 || secret_names[i][name])
            continue;
        secret = strrchr(line, ' ');
        h->have_secret[i] = secret && unhex(secret + 1, h->secrets[i], KEYS_SECRET);
    }
}

/*
 * In place of OpenSSL's own function, which writes those lines: where it is linked in statically (Makefile: --wrap) no secret is
 * spelled out, which costs a twentieth of a handshake. From 3.2 on it is called with something else than an SSL.
 */
int __real_ssl_log_secret(SSL *ssl, const char *name, const uint8_t *secret, size_t length)
    __attribute__((weak));
int __wrap_ssl_log_secret(SSL *ssl, const char *name, const uint8_t *secret, size_t length);

int __wrap_ssl_log_secret(SSL *ssl, const char *name, const uint8_t *secret, size_t length)
{
    struct handshake *h;
    if (OPENSSL_VERSION_NUMBER >= 0x30200000L)
        return __real_ssl_log_secret(ssl, name, secret, length);
    h = SSL_get_ex_data(ssl, app_slot);
    for (size_t i = 0; h && i < SECRETS; i++) {
        if (strcmp(name, secret_names[i]) != 0 || (length != 32 && length != 48))
            continue;
        memcpy(h->secrets[i], secret, length);
        h->have_secret[i] = true;
    }
    return 1;
}

bool handshake_keys(struct handshake *h, struct keys *send, struct keys *receive)
{
    enum aead_suite suite;
    bool server = SSL_is_server(h->ssl);
    return suite_of(h->ssl, &suite) && h->have_secret[CLIENT_SECRET] && h->have_secret[SERVER_SECRET] &&
           keys_derive(send, suite, h->secrets[server]) && keys_derive(receive, suite, h->secrets[!server]);
}

bool handshake_expect_tickets(struct handshake *h, struct tickets *tickets)
{
    memset(tickets, 0, sizeof *tickets);
    resumption_expect_tickets(&h->resumption, h->ssl, h->master.secret, h->master.length, tickets);
    return tickets->wanted > 0;
}

/* ---- life ---- */

static bool prepare(struct handshake *h, const struct handshake_terms *terms)
{
    SSL_CTX *context =
        terms->is_server ? identity_server_context(h->identity) : identity_client_context(h->identity);
    BIO *bio;
    SSL_CTX_set_keylog_callback(context, on_key);
    h->ssl = SSL_new(context);
    bio = h->ssl ? make_bio(h) : NULL;
    if (!bio)
        return false;
    SSL_set_bio(h->ssl, bio, bio);
    if (terms->is_server)
        SSL_set_accept_state(h->ssl);
    else
        SSL_set_connect_state(h->ssl);
    if (terms->server_name)
        SSL_set_tlsext_host_name(h->ssl, terms->server_name);
    if (terms->resumes &&
        !resumption_begin(&h->resumption, h->ssl, h->identity, &h->check,
                          terms->is_server ? NULL : terms->destination, terms->without_forward_secrecy))
        return false;
    return SSL_set_ex_data(h->ssl, app_slot, h) && identity_attach(h->ssl, &h->check);
}

struct handshake *handshake_new(const struct handshake_terms *terms)
{
    struct handshake *h = once_ready(&once, start) ? calloc(1, sizeof *h) : NULL;
    if (!h)
        return NULL;
    h->identity = identity_ref(terms->identity);
    h->check.trust_domain = terms->trust_domain;
    h->check.wanted = terms->wanted;
    h->check.peer_is_server = !terms->is_server;
    if (!prepare(h, terms)) {
        handshake_free(h);
        return NULL;
    }
    return h;
}

void handshake_free(struct handshake *h)
{
    if (!h)
        return;
    SSL_free(h->ssl);
    resumption_end(&h->resumption);
    identity_unref(h->identity);
    explicit_bzero(h->secrets, sizeof h->secrets);
    explicit_bzero(&h->master, sizeof h->master);
    free(h);
}

bool handshake_peer_spoke(const struct handshake *h)
{
    return h->received > 0;
}

const struct handshake_fault *handshake_fault(const struct handshake *h)
{
    return &h->fault;
}

const char *handshake_peer_id(const struct handshake *h)
{
    return h->check.peer_id;
}

bool handshake_resumed(const struct handshake *h)
{
    return h->resumed;
}

bool handshake_is_forward_secret(const struct handshake *h)
{
    EVP_PKEY *theirs = NULL;
    bool is = SSL_get_peer_tmp_key(h->ssl, &theirs) == 1;
    EVP_PKEY_free(theirs);
    return is;
}

/* ---- failures, as a reason, an errno and a clause ---- */

const char *handshake_alert_advice(uint8_t alert)
{
    static const struct {
        uint8_t alert;
        const char *advice;
    } refusals[] = {
        { SSL_AD_UNKNOWN_CA, "its trust bundle lacks our root" },
        { SSL_AD_CERTIFICATE_EXPIRED, "renew it, or see both clocks" },
        { SSL_AD_CERTIFICATE_REVOKED, "ask for another" },
        { SSL_AD_CERTIFICATE_UNKNOWN,
          "see whom it wants (allow, identity), and its log" }, /* a meshed peer's word for it */
        { SSL_AD_ACCESS_DENIED, "see whom it wants (allow, identity), and its log" },
        { SSL_AD_BAD_CERTIFICATE, "see its log" },
        { SSL_AD_UNSUPPORTED_CERTIFICATE, "see its log" },
        { SSL_AD_CERTIFICATE_REQUIRED, "see its log" },
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i].alert == alert)
            return refusals[i].advice;
    return NULL;
}

static void set_fault(struct handshake *h, enum stats_failure reason, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void set_fault(struct handshake *h, enum stats_failure reason, int error, const char *format, ...)
{
    va_list args;
    h->fault.reason = reason;
    h->fault.error = error;
    va_start(args, format);
    vsnprintf(h->fault.text, sizeof h->fault.text, format, args);
    va_end(args);
}

/* The peer's first bytes in quotes, what cannot be printed as a dot. */
static void quote_first(const struct handshake *h, char out[FIRST_BYTES + 1])
{
    size_t n = h->received < FIRST_BYTES ? h->received : FIRST_BYTES;
    for (size_t i = 0; i < n; i++)
        out[i] = isprint(h->first[i]) && h->first[i] != '"' ? (char)h->first[i] : '.';
    out[n] = '\0';
}

static bool began_as_tls(const struct handshake *h)
{
    return h->received > 0 && h->first[0] >= 20 && h->first[0] <= 23 &&
           (h->received == 1 || h->first[1] == 3);
}

static void blame_certificate(struct handshake *h)
{
    if (h->check.reason[0])
        set_fault(h, h->check.failure, EACCES, "%s", h->check.reason);
    else
        set_fault(h, FAILURE_CERTIFICATE, EACCES, "it presented no certificate");
}

/* The connection ended under the handshake: by an error of the socket, or by the peer's closing. */
static void blame_end(struct handshake *h)
{
    if (h->received > 0 && !began_as_tls(h)) {
        char first[FIRST_BYTES + 1];
        quote_first(h, first);
        set_fault(h, FAILURE_PLAINTEXT, ECONNRESET, "it sent \"%s\", which is not TLS", first);
        return;
    }
    h->fault.silent = h->received == 0;
    if (h->io_error && h->io_error != ECONNRESET && h->io_error != EPIPE)
        set_fault(h, FAILURE_PROTOCOL, h->io_error, "the connection failed in the handshake: %s",
                  strerror(h->io_error));
    else
        set_fault(h, FAILURE_PROTOCOL, ECONNRESET, "it %s the connection %s", h->ended ? "closed" : "reset",
                  h->received ? "in the middle of the handshake" : "before it said anything");
}

static void blame_protocol(struct handshake *h, unsigned long code)
{
    int reason = ERR_GET_REASON(code);
    char words[160], first[FIRST_BYTES + 1];
    if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        uint8_t alert = (uint8_t)(reason - SSL_AD_REASON_OFFSET);
        const char *advice = handshake_alert_advice(alert);
        if (advice)
            set_fault(h, FAILURE_IDENTITY, EACCES, "it does not accept our certificate (alert %s): %s",
                      record_alert_name(alert), advice);
        else
            set_fault(h, FAILURE_PROTOCOL, ECONNRESET, "it refused the handshake (alert %s)",
                      record_alert_name(alert));
        return;
    }
    if (!began_as_tls(h)) {
        quote_first(h, first);
        set_fault(h, FAILURE_PLAINTEXT, ECONNRESET, "it sent \"%s\", which is not TLS", first);
        return;
    }
    if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_UNSUPPORTED_SSL_VERSION) {
        set_fault(h, FAILURE_PROTOCOL, ECONNRESET, "it does not speak TLS 1.3, only an older version");
        return;
    }
    if (h->first[0] == RECORD_ALERT) {
        set_fault(h, FAILURE_PROTOCOL, ECONNRESET, "it began with an alert instead of a hello");
        return;
    }
    identity_openssl_error(words, sizeof words);
    set_fault(h, FAILURE_PROTOCOL, ECONNRESET, "its TLS is not acceptable: %s", words);
}

static void judge(struct handshake *h, int ssl_error)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (ssl_error == SSL_ERROR_SSL &&
        (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE))
        blame_certificate(h);
    else if (h->io_error || h->ended)
        blame_end(h);
    else if (ssl_error == SSL_ERROR_SSL && code)
        blame_protocol(h, code);
    else
        blame_end(h);
    ERR_clear_error();
}

enum handshake_status handshake_step(struct handshake *h, int fd)
{
    int result;
    h->fd = fd;
    ERR_clear_error();
    schedule_catch(h->resumption.enabled ? &h->master : NULL);
    result = SSL_do_handshake(h->ssl);
    schedule_catch(NULL);
    if (result == 1) {
        h->resumed = resumption_settle(&h->resumption, h->ssl,
                                       h->have_secret[EXPORTER_SECRET] ? h->secrets[EXPORTER_SECRET] : NULL);
        if (h->check.accepted)
            return HANDSHAKE_DONE;
        blame_certificate(
            h); /* cannot happen while both sides must prove a certificate; never open if it does */
        return HANDSHAKE_FAILED;
    }
    result = SSL_get_error(h->ssl, result);
    if (result == SSL_ERROR_WANT_READ)
        return HANDSHAKE_WANTS_READ;
    if (result == SSL_ERROR_WANT_WRITE)
        return HANDSHAKE_WANTS_WRITE;
    judge(h, result);
    return HANDSHAKE_FAILED;
}
