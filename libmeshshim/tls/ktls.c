/* See ktls.h. */
#include "tls/ktls.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/quiet.h"
#include "tls/record.h"

/* ---- keys, as the kernel wants them: TLS 1.3's IV is its salt and its IV in a row ---- */

#define FILL(member, number)                                                                                 \
    do {                                                                                                     \
        info->head.cipher_type = number;                                                                     \
        memcpy(info->member.key, keys->key, sizeof info->member.key);                                        \
        memcpy(info->member.salt, keys->iv, sizeof info->member.salt);                                       \
        memcpy(info->member.iv, keys->iv + sizeof info->member.salt, sizeof info->member.iv);                \
        memcpy(info->member.rec_seq, &seq, sizeof info->member.rec_seq);                                     \
        return sizeof info->member;                                                                          \
    } while (0)

socklen_t ktls_info_of(const struct keys *keys, union ktls_info *info)
{
    uint64_t seq = htobe64(keys->seq);

    memset(info, 0, sizeof *info);
    info->head.version = TLS_1_3_VERSION;
    switch ((enum aead_suite)keys->suite) {
    case AEAD_AES_128_GCM:
        FILL(aes_128, TLS_CIPHER_AES_GCM_128);
    case AEAD_AES_256_GCM:
        FILL(aes_256, TLS_CIPHER_AES_GCM_256);
    case AEAD_CHACHA20_POLY1305: /* its salt is empty */
        FILL(chacha, TLS_CIPHER_CHACHA20_POLY1305);
    default:
        return 0;
    }
}

int ktls_attach(int fd)
{
    return libc.setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 ? 0 : errno;
}

static void wipe(union ktls_info *info)
{
    explicit_bzero(info, sizeof *info);
}

int ktls_use(int fd, int name, const struct keys *keys)
{
    union ktls_info info;
    socklen_t length = ktls_info_of(keys, &info);
    int error = length == 0 ? EINVAL : libc.setsockopt(fd, SOL_TLS, name, &info, length) == 0 ? 0 : errno;
    wipe(&info);
    return error;
}

bool ktls_is_used(int fd, int name)
{
    struct tls_crypto_info head = { 0, 0 };
    socklen_t length = sizeof head;
    return libc.getsockopt(fd, SOL_TLS, name, &head, &length) == 0 && head.version == TLS_1_3_VERSION;
}

bool ktls_sequence(int fd, int name, const struct keys *keys, uint64_t *seq)
{
    union ktls_info info;
    socklen_t length = ktls_info_of(keys, &info);
    bool known = length > 0 && libc.getsockopt(fd, SOL_TLS, name, &info, &length) == 0;
    uint64_t number = 0;

    if (known) { /* it stands last in each */
        memcpy(&number, (const char *)&info + length - sizeof number, sizeof number);
        *seq = be64toh(number);
    }
    wipe(&info);
    return known;
}

/* ---- records that are not data ---- */

/* (As libc_send_now: the thread is not to be cancelled here.) */
ssize_t ktls_send(int fd, uint8_t type, const void *body, size_t n)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(1)];
    } control;
    struct iovec span = { (void *)(uintptr_t)body, n };
    struct msghdr message = {
        .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t put;

    memset(&control, 0, sizeof control);
    control.head.cmsg_level = SOL_TLS;
    control.head.cmsg_type = TLS_SET_RECORD_TYPE;
    control.head.cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(&control.head) = type;
    put = libc.syscall(SYS_sendmsg, fd, (long)&message, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0);
    return put < 0 ? -errno : put;
}

ssize_t ktls_receive(int fd, void *to, size_t room, uint8_t *type)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(1)];
    } control;
    struct iovec span = { to, room };
    struct msghdr message = {
        .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t got = libc.syscall(SYS_recvmsg, fd, (long)&message, MSG_DONTWAIT, 0, 0, 0);
    const struct cmsghdr *said = got < 0 ? NULL : CMSG_FIRSTHDR(&message);

    if (got < 0)
        return -errno;
    *type = RECORD_DATA;
    if (said && said->cmsg_level == SOL_TLS && said->cmsg_type == TLS_GET_RECORD_TYPE)
        *type = *CMSG_DATA(said);
    return got;
}

/* ---- what the kernel offers ---- */

enum { UNKNOWN = -1, NO, YES };
static _Atomic int offered = UNKNOWN, rekeys = UNKNOWN;

/* A thread that is cancelled in between would leave its sockets behind. */
static bool known_by_trial(_Atomic int *answer, bool (*try)(void))
{
    int known = atomic_load_explicit(answer, memory_order_relaxed);
    struct quiet quiet;

    if (known == UNKNOWN) {
        quiet_begin(&quiet);
        known = try() ? YES : NO;
        atomic_store_explicit(answer, known, memory_order_relaxed);
        quiet_end(&quiet);
    }
    return known == YES;
}

/* A socket that is not connected cannot have it, but whether there is such a thing is seen first. */
static bool is_offered(void)
{
    int fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is = fd >= 0 && ktls_attach(fd) != ENOENT;
    if (fd >= 0)
        libc.close(fd);
    return is;
}

bool ktls_is_offered(void)
{
    return known_by_trial(&offered, is_offered);
}

/* Keys given, and given anew. */
static bool takes_keys_twice(int fd)
{
    struct keys keys = { .suite = AEAD_AES_128_GCM };
    if (ktls_attach(fd) != 0 || ktls_use(fd, TLS_TX, &keys) != 0)
        return false;
    keys.key[0] = 1;
    return ktls_use(fd, TLS_TX, &keys) == 0;
}

/* On a connection of its own, by way of the loopback. */
static bool can_rekey(void)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof here;
    int listener = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int fd = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd connected = { fd, POLLOUT, 0 };
    bool can = listener >= 0 && fd >= 0 && bind(listener, (struct sockaddr *)&here, sizeof here) == 0 &&
               libc.listen(listener, 1) == 0 &&
               getsockname(listener, (struct sockaddr *)&here, &length) == 0 &&
               (libc.connect(fd, (struct sockaddr *)&here, sizeof here) == 0 || errno == EINPROGRESS) &&
               libc.poll(&connected, 1, 50) == 1 && takes_keys_twice(fd);
    if (fd >= 0)
        libc.close(fd);
    if (listener >= 0)
        libc.close(listener);
    return can;
}

enum ktls_offer ktls_offer(void)
{
    if (!ktls_is_offered())
        return KTLS_ABSENT;
    return known_by_trial(&rekeys, can_rekey) ? KTLS_REKEYS : KTLS_FIXED;
}
