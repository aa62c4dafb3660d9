/* An honest TLS 1.3 endpoint over memory, and the raw socket beneath it. */
#include "bad.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/core_names.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

enum { PATIENCE = 8000 };

void say(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    printf("%s\n", line);
    fflush(stdout);
}

/* The key log gives the secrets that our own record layer needs. */
static void keep_secret(const SSL *ssl, const char *line)
{
    static const char *const labels[2][SECRETS] = {
        { "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "CLIENT_TRAFFIC_SECRET_0 " },
        { "SERVER_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_TRAFFIC_SECRET_0 " },
    };
    struct peer *peer = SSL_get_app_data(ssl);
    const char *hex = strrchr(line, ' ');
    for (int which = 0; which < SECRETS; which++) {
        const char *label = labels[peer->options->server][which];
        uint8_t *secret = peer->secrets[which];
        if (strncmp(line, label, strlen(label)) != 0 || !hex || strlen(hex + 1) != 2 * 32)
            continue;
        for (size_t i = 0; i < 32; i++) {
            char byte[3] = { hex[1 + 2 * i], hex[2 + 2 * i], 0 };
            secret[i] = (uint8_t)strtoul(byte, NULL, 16);
        }
        peer->have_secret[which] = true;
    }
}

/* ---- what the victim complains of ---- */

/* RFC 8446 6. */
static const struct {
    int alert;
    const char *name;
} alert_names[] = {
    { -1, "-" },
    { 0, "close_notify" },
    { 10, "unexpected_message" },
    { 20, "bad_record_mac" },
    { 22, "record_overflow" },
    { 40, "handshake_failure" },
    { 42, "bad_certificate" },
    { 43, "unsupported_certificate" },
    { 44, "certificate_revoked" },
    { 45, "certificate_expired" },
    { 46, "certificate_unknown" },
    { 47, "illegal_parameter" },
    { 48, "unknown_ca" },
    { 49, "access_denied" },
    { 50, "decode_error" },
    { 51, "decrypt_error" },
    { 70, "protocol_version" },
    { 71, "insufficient_security" },
    { 80, "internal_error" },
    { 86, "inappropriate_fallback" },
    { 90, "user_canceled" },
    { 109, "missing_extension" },
    { 110, "unsupported_extension" },
    { 112, "unrecognized_name" },
    { 113, "bad_certificate_status_response" },
    { 115, "unknown_psk_identity" },
    { 116, "certificate_required" },
    { 120, "no_application_protocol" },
};

const char *alert_name(int alert)
{
    for (size_t i = 0; i < sizeof alert_names / sizeof alert_names[0]; i++)
        if (alert_names[i].alert == alert)
            return alert_names[i].name;
    return "none-that-exists";
}

static void hear_alert(struct peer *peer, int alert)
{
    if (peer->alert <= 0) /* the first that is not a goodbye */
        peer->alert = alert;
}

/* What OpenSSL could decrypt. */
static void on_info(const SSL *ssl, int where, int value)
{
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        hear_alert(SSL_get_app_data(ssl), value & 0xff);
}

/* What is in the clear, whatever OpenSSL thinks of it: records of type alert. */
static void look_for_alert(struct peer *peer, const uint8_t *data, size_t n)
{
    while (n > 0) {
        if (peer->have < 5 || (peer->have < 7 && peer->left > 0 && peer->head[0] == 21)) {
            peer->head[peer->have++] = *data++;
            n--;
            if (peer->have == 5)
                peer->left = (size_t)peer->head[3] << 8 | peer->head[4];
            else if (peer->have > 5)
                peer->left--;
            if (peer->have == 7 && peer->left == 0)
                hear_alert(peer, peer->head[6]);
        } else {
            size_t skip = n < peer->left ? n : peer->left;
            data += skip;
            n -= skip;
            peer->left -= skip;
        }
        if (peer->have >= 5 && peer->left == 0)
            peer->have = 0;
    }
}

static int load(SSL_CTX *context, const char *directory, const char *identity)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.pem", directory, identity);
    if (SSL_CTX_use_certificate_chain_file(context, path) != 1)
        return -1;
    snprintf(path, sizeof path, "%s/%s.key", directory, identity);
    return SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1 ? 0 : -1;
}

int peer_start(struct peer *peer, const char *identity, int version)
{
    const struct options *o = peer->options;
    char path[4096];
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    snprintf(path, sizeof path, "%s/ca.pem", o->ca);
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_security_level(context, 0); /* what the victim must refuse, we must be able to show */
    SSL_CTX_set_keylog_callback(context, keep_secret);
    SSL_CTX_set_info_callback(context, on_info);
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (SSL_CTX_load_verify_locations(context, path, NULL) != 1 ||
        (*identity && load(context, o->ca, identity))) {
        ERR_print_errors_fp(stderr);
        SSL_CTX_free(context);
        return -1;
    }
    peer->context = context;
    peer->ssl = SSL_new(context);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(peer->in, -1);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_app_data(peer->ssl, peer);
    if (o->server)
        SSL_set_accept_state(peer->ssl);
    else
        SSL_set_connect_state(peer->ssl);
    return 0;
}

void peer_stop(struct peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    if (peer->fd >= 0)
        close(peer->fd);
    peer->ssl = NULL;
    peer->context = NULL;
    peer->fd = -1;
}

size_t peer_output(struct peer *peer, uint8_t *data, size_t room)
{
    int n = BIO_read(peer->out, data, (int)room);
    return n > 0 ? (size_t)n : 0;
}

bool raw_send(struct peer *peer, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t sent = send(peer->fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void keep_wire(const struct options *o, const void *data, size_t n)
{
    FILE *f = o->wire ? fopen(o->wire, "a") : NULL;
    if (f) {
        fwrite(data, 1, n, f);
        fclose(f);
    }
}

static void keep_last(struct peer *peer, const uint8_t *data, size_t n)
{
    size_t more = n < LAST ? n : LAST;
    memmove(peer->last, peer->last + more, LAST - more);
    memcpy(peer->last + LAST - more, data + n - more, more);
}

/* One read: bytes, 0 at the end, -1 with errno (EAGAIN: nothing in time). */
static ssize_t raw_read(struct peer *peer, void *data, size_t room, int patience_ms)
{
    struct pollfd p = { peer->fd, POLLIN, 0 };
    ssize_t got;
    if (poll(&p, 1, patience_ms) != 1) {
        errno = EAGAIN;
        return -1;
    }
    got = recv(peer->fd, data, room, 0);
    if (got > 0) {
        keep_wire(peer->options, data, (size_t)got);
        look_for_alert(peer, data, (size_t)got);
        keep_last(peer, data, (size_t)got);
    }
    return got;
}

bool raw_fill(struct peer *peer, int patience_ms)
{
    uint8_t data[16384];
    ssize_t got = raw_read(peer, data, sizeof data, patience_ms);
    return got > 0 && BIO_write(peer->in, data, (int)got) == got;
}

/* What has come, to OpenSSL, for the alerts that are in it. */
static void digest(struct peer *peer, const void *data, size_t n)
{
    char plain[16384];
    if (!peer->ssl)
        return;
    BIO_write(peer->in, data, (int)n);
    while (SSL_read(peer->ssl, plain, sizeof plain) > 0)
        ;
    ERR_clear_error();
}

void raw_hear(struct peer *peer, int patience_ms)
{
    uint8_t data[16384];
    raw_read(peer, data, sizeof data, patience_ms);
}

void raw_drain(struct peer *peer, int patience_ms)
{
    uint8_t data[16384];
    ssize_t got;
    int error;
    while ((got = raw_read(peer, data, sizeof data, patience_ms)) > 0)
        digest(peer, data, (size_t)got);
    error = errno;
    if (got == 0)
        say("the victim closed");
    else
        say("the victim %s", error == EAGAIN       ? "said nothing more"
                             : error == ECONNRESET ? "reset"
                                                   : strerror(error));
}

void raw_reset(struct peer *peer)
{
    struct linger now = { 1, 0 };
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(peer->fd);
    peer->fd = -1;
}

bool peer_flush(struct peer *peer)
{
    uint8_t data[16384 + 512];
    size_t n;
    while ((n = peer_output(peer, data, sizeof data)) > 0)
        if (!raw_send(peer, data, n))
            return false;
    return true;
}

/* After a call that returned `result`: true where it is worth trying again. */
static bool go_on(struct peer *peer, int result)
{
    if (!peer_flush(peer))
        return false;
    return SSL_get_error(peer->ssl, result) == SSL_ERROR_WANT_READ && raw_fill(peer, PATIENCE);
}

static void say_error(struct peer *peer, const char *what)
{
    unsigned long error = ERR_peek_last_error();
    (void)peer;
    say("%s: %s", what, error ? ERR_reason_error_string(error) : "the connection ended");
    ERR_clear_error();
}

bool peer_handshake(struct peer *peer)
{
    int result;
    ERR_clear_error();
    while ((result = SSL_do_handshake(peer->ssl)) != 1 && go_on(peer, result))
        ;
    if (result == 1 && peer_flush(peer))
        return true;
    say_error(peer, "handshake failed");
    return false;
}

bool peer_write(struct peer *peer, const void *data, size_t n)
{
    return SSL_write(peer->ssl, data, (int)n) == (int)n && peer_flush(peer);
}

int peer_read(struct peer *peer, void *data, size_t n)
{
    size_t have = 0;
    ERR_clear_error();
    while (have < n) {
        int got = SSL_read(peer->ssl, (char *)data + have, (int)(n - have));
        if (got > 0)
            have += (size_t)got;
        else if (!go_on(peer, got))
            break;
    }
    peer_flush(peer);
    return (int)have;
}

bool peer_exchange(struct peer *peer, const char *text)
{
    char data[16384];
    size_t n = text ? strlen(text) : 0;
    int got;
    if (!peer->options->server) {
        if (!peer_write(peer, text, n) || peer_read(peer, data, n) != (int)n || memcmp(data, text, n) != 0) {
            say_error(peer, "exchange failed");
            return false;
        }
        return true;
    }
    ERR_clear_error();
    while ((got = SSL_read(peer->ssl, data, sizeof data)) <= 0)
        if (!go_on(peer, got))
            return false;
    return peer_write(peer, data, (size_t)got);
}

/* RFC 8446 7.1, with OpenSSL's own TLS13-KDF. */
static void expand(const uint8_t secret[32], const char *label, uint8_t *out, size_t n)
{
    uint8_t info[64];
    size_t length = strlen(label), at = 0;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    char digest[] = "SHA256";
    uint8_t key[32];
    memcpy(key, secret, sizeof key);
    info[at++] = (uint8_t)(n >> 8);
    info[at++] = (uint8_t)n;
    info[at++] = (uint8_t)(6 + length);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, length);
    at += 6 + length;
    info[at++] = 0;
    OSSL_PARAM params[] = { OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, sizeof key),
                            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, at),
                            OSSL_PARAM_construct_end() };
    if (EVP_KDF_derive(context, out, n, params) != 1)
        say("no key: HKDF failed");
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

static void forge_keys(struct peer *peer, const uint8_t secret[32])
{
    expand(secret, "key", peer->key, sizeof peer->key);
    expand(secret, "iv", peer->iv, sizeof peer->iv);
    peer->sequence = 0;
}

void forge_start(struct peer *peer, enum secret secret)
{
    if (!peer->have_secret[secret])
        say("no key: the key log was silent");
    forge_keys(peer, peer->secrets[secret]);
}

void forge_update(struct peer *peer)
{
    uint8_t next[32];
    expand(peer->secrets[TRAFFIC_SECRET], "traffic upd", next, sizeof next);
    memcpy(peer->secrets[TRAFFIC_SECRET], next, sizeof next);
    forge_keys(peer, next);
}

static void next_nonce(struct peer *peer, uint8_t nonce[12])
{
    memcpy(nonce, peer->iv, sizeof peer->iv);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] ^= (uint8_t)(peer->sequence >> (56 - 8 * i));
    peer->sequence++;
}

size_t unseal(struct peer *peer, const uint8_t *record, size_t n, uint8_t *plain)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t nonce[12], tag[16];
    int out = 0, last = 0;
    bool good;
    if (n < 5 + 17)
        return 0;
    next_nonce(peer, nonce);
    memcpy(tag, record + n - 16, sizeof tag);
    EVP_DecryptInit_ex(context, EVP_aes_128_gcm(), NULL, peer->key, nonce);
    EVP_DecryptUpdate(context, NULL, &last, record, 5);
    EVP_DecryptUpdate(context, plain, &out, record + 5, (int)(n - 5 - 16));
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, tag);
    good = EVP_DecryptFinal_ex(context, plain + out, &last) == 1;
    EVP_CIPHER_CTX_free(context);
    return good ? (size_t)out : 0;
}

bool forge(struct peer *peer, uint8_t type, const void *data, size_t n, size_t padding)
{
    size_t inner = n + (type ? 1 : 0) + padding, body = inner + 16;
    uint8_t *record = calloc(1, 5 + body), *plain = calloc(1, inner + 1), nonce[12];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int out;
    bool sent;
    record[0] = 23;
    record[1] = record[2] = 3;
    record[3] = (uint8_t)(body >> 8);
    record[4] = (uint8_t)body;
    memcpy(plain, data, n);
    if (type)
        plain[n] = type;
    next_nonce(peer, nonce);
    EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, peer->key, nonce);
    EVP_EncryptUpdate(context, NULL, &out, record, 5);
    EVP_EncryptUpdate(context, record + 5, &out, plain, (int)inner);
    EVP_EncryptFinal_ex(context, record + 5 + inner, &out);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, record + 5 + inner);
    EVP_CIPHER_CTX_free(context);
    sent = raw_send(peer, record, 5 + body);
    free(record);
    free(plain);
    return sent;
}
