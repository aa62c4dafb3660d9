/*
 * Kernel TLS (Linux' "tls" upper layer protocol): the kernel seals and opens the records of a socket with keys that it is given. Each
 * direction is switched by itself; what is not switched passes through as it is.
 *
 * Before Linux 6.14 keys are given once: no KeyUpdate can be followed or sent.
 */
#ifndef MESHSHIM_KTLS_H
#define MESHSHIM_KTLS_H

#include <linux/tls.h>
#include <sys/socket.h>

#include "tls/keys.h"

enum ktls_offer {
    KTLS_ABSENT,
    KTLS_FIXED, /* keys cannot be changed */
    KTLS_REKEYS
};
/* What the running kernel offers, tried out on sockets of its own; remembered. */
enum ktls_offer ktls_offer(void);
/* The same without trying whether keys can be changed. */
bool ktls_is_offered(void);

/* What setsockopt takes. */
union ktls_info {
    struct tls_crypto_info head;
    struct tls12_crypto_info_aes_gcm_128 aes_128;
    struct tls12_crypto_info_aes_gcm_256 aes_256;
    struct tls12_crypto_info_chacha20_poly1305 chacha;
};
/* Its length. To be wiped by the caller. */
socklen_t ktls_info_of(const struct keys *keys, union ktls_info *info);

/* The first step, for an established connection; nothing changes for its bytes yet. 0 or an errno. */
int ktls_attach(int fd);
/*
 * From the next byte on the kernel uses `keys`, whose seq is the next record's; `name` is TLS_TX or TLS_RX. What waits in the kernel's
 * receive queue is opened with them, too, so it must begin with a record. 0 or an errno: then nothing has changed.
 */
int ktls_use(int fd, int name, const struct keys *keys);
/* Does the kernel have keys for this direction? */
bool ktls_is_used(int fd, int name);
/* The next record's sequence number; false where it cannot be had. */
bool ktls_sequence(int fd, int name, const struct keys *keys, uint64_t *seq);

/* One record of `type`; of data with n = 0: what is still open of one is closed and sent. Never waits. A count or minus an errno. */
ssize_t ktls_send(int fd, uint8_t type, const void *body, size_t n);
/* One record of any type that is not data, or a part of it. Never waits. A count or minus an errno. */
ssize_t ktls_receive(int fd, void *to, size_t room, uint8_t *type);

#endif
