/* A connection to 127.0.0.1 whose bytes are plain, or TLS 1.3 with a certificate at both ends. Never blocks. */
#ifndef DRIVE_CHANNEL_H
#define DRIVE_CHANNEL_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct channel {
    int fd;
    SSL *ssl; /* NULL: plain */
    bool established;
    uint32_t wants; /* EPOLLIN or EPOLLOUT: what the call that said CHANNEL_AGAIN waits for */
};

enum { CHANNEL_END = 0, CHANNEL_AGAIN = -1, CHANNEL_FAILED = -2 };

/* From here on every channel is TLS, with cert.pem, key.pem and ca.pem of that directory; with `resumes`, each begins with a
 * ticket of an earlier one where there is one. */
void channel_use_tls(const char *directory, const char *ciphersuite, bool resumes);
/* How many handshakes were resumed. */
uint64_t channel_resumed(void);

/* Begins to connect. False: errno says why. */
bool channel_open(struct channel *channel, uint16_t port);
/* Goes on with connecting and the handshake: 1 when established, else CHANNEL_AGAIN or CHANNEL_FAILED. */
int channel_establish(struct channel *channel);
/* A count, CHANNEL_END, CHANNEL_AGAIN or CHANNEL_FAILED. */
ssize_t channel_read(struct channel *channel, void *bytes, size_t count);
ssize_t channel_write(struct channel *channel, const void *bytes, size_t count);
/* Bytes are there that no descriptor will announce. */
bool channel_holds(const struct channel *channel);
void channel_close(struct channel *channel);

#endif
