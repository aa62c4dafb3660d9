/* See channel.h. */
#include "channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICKETS_MOST = 256 };

static SSL_CTX *context; /* NULL: plain */
static SSL_SESSION *tickets[TICKETS_MOST];
static int ticket_count;
static uint64_t resumed;

static void must(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "drive: OpenSSL cannot use %s\n", what);
        exit(1);
    }
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    if (ticket_count == TICKETS_MOST)
        return 0;
    tickets[ticket_count++] = session;
    return 1;
}

static const char *in(const char *directory, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

void channel_use_tls(const char *directory, const char *ciphersuite, bool resumes)
{
    context = SSL_CTX_new(TLS_client_method());
    must(context && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION), "TLS 1.3");
    must(SSL_CTX_set_ciphersuites(context, ciphersuite), ciphersuite);
    must(SSL_CTX_use_certificate_chain_file(context, in(directory, "cert.pem")), "cert.pem");
    must(SSL_CTX_use_PrivateKey_file(context, in(directory, "key.pem"), SSL_FILETYPE_PEM), "key.pem");
    must(SSL_CTX_load_verify_locations(context, in(directory, "ca.pem"), NULL), "ca.pem");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, resumes ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                                    : SSL_SESS_CACHE_OFF);
    if (resumes)
        SSL_CTX_sess_set_new_cb(context, keep_ticket);
}

uint64_t channel_resumed(void)
{
    return resumed;
}

static bool begin_tls(struct channel *channel)
{
    channel->ssl = SSL_new(context);
    if (!channel->ssl || !SSL_set_fd(channel->ssl, channel->fd))
        return false;
    SSL_set_connect_state(channel->ssl);
    if (ticket_count > 0) {
        SSL_SESSION *session = tickets[--ticket_count];
        SSL_set_session(channel->ssl, session);
        SSL_SESSION_free(session);
    }
    return true;
}

bool channel_open(struct channel *channel, uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1;

    *channel = (struct channel){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .wants = EPOLLOUT };
    if (channel->fd < 0)
        return false;
    setsockopt(channel->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(channel->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
        return false;
    return !context || begin_tls(channel);
}

/* What a call of OpenSSL that did not succeed means. */
static int tls_failure(struct channel *channel, int result)
{
    switch (SSL_get_error(channel->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        channel->wants = EPOLLIN;
        return CHANNEL_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        channel->wants = EPOLLOUT;
        return CHANNEL_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return CHANNEL_END;
    default:
        return CHANNEL_FAILED;
    }
}

int channel_establish(struct channel *channel)
{
    int error = 0, result;
    socklen_t size = sizeof error;

    if (getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        errno = error;
        return CHANNEL_FAILED;
    }
    result = channel->ssl ? SSL_do_handshake(channel->ssl) : 1;
    if (result != 1)
        return tls_failure(channel, result) == CHANNEL_AGAIN ? CHANNEL_AGAIN : CHANNEL_FAILED;
    channel->established = true;
    resumed += channel->ssl && SSL_session_reused(channel->ssl);
    return 1;
}

static ssize_t plain_result(struct channel *channel, ssize_t n, uint32_t wants)
{
    if (n >= 0)
        return n;
    channel->wants = wants;
    return errno == EAGAIN ? CHANNEL_AGAIN : CHANNEL_FAILED;
}

ssize_t channel_read(struct channel *channel, void *bytes, size_t count)
{
    int n;
    if (!channel->ssl)
        return plain_result(channel, read(channel->fd, bytes, count), EPOLLIN);
    n = SSL_read(channel->ssl, bytes, (int)count);
    return n > 0 ? n : tls_failure(channel, n);
}

ssize_t channel_write(struct channel *channel, const void *bytes, size_t count)
{
    int n;
    if (!channel->ssl)
        return plain_result(channel, write(channel->fd, bytes, count), EPOLLOUT);
    n = SSL_write(channel->ssl, bytes, (int)count);
    return n > 0 ? n : tls_failure(channel, n);
}

bool channel_holds(const struct channel *channel)
{
    return channel->ssl && SSL_pending(channel->ssl) > 0;
}

void channel_close(struct channel *channel)
{
    if (channel->ssl) {
        SSL_shutdown(channel->ssl); /* else its ticket would not count as good */
        SSL_free(channel->ssl);
    }
    close(channel->fd);
}
