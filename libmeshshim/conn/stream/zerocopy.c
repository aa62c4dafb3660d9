/*
 * MSG_ZEROCOPY. The kernel's bytes are ciphertext, so the program's are copied in any case; but who asks for zero copy counts its calls,
 * and waits to be told of each by the socket's error queue, which poll shows. That queue stays the kernel's: of each such call, the first
 * byte that goes out is sent from memory that never changes, and is announced when the peer has it. Programs hear that their bytes were
 * copied (SO_EE_CODE_ZEROCOPY_COPIED), and most of them then ask no more.
 */
#include <errno.h>
#include <netinet/in.h>
#include <time.h>

#include <linux/errqueue.h>

#include "base/banned.h"
#include "base/libc.h"
#include "conn/stream/send_parts.h"

#define FOUR(n)       (n), (n) + 1, (n) + 2, (n) + 3
#define SIXTEEN(n)    FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)
#define SIXTY_FOUR(n) SIXTEEN(n), SIXTEEN((n) + 16), SIXTEEN((n) + 32), SIXTEEN((n) + 48)
static const uint8_t every_byte[256] = { SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192) };

bool stream_is_zerocopy(int fd)
{
    int on = 0, saved = errno;
    socklen_t length = sizeof on;
    bool is = libc.getsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, &length) == 0 && on;
    errno = saved;
    return is;
}

ssize_t writing_announce(struct writing *w, const uint8_t *data, size_t n, int flags)
{
    ssize_t put, more;
    put = writing_put(w, &every_byte[data[0]], 1, flags | MSG_ZEROCOPY | (n > 1 ? MSG_MORE : 0));
    if (put <= 0 || w->lost)
        return put;
    w->announces = false;
    w->tx->announced = true;
    if (n == 1)
        return put;
    /* Whoever does not come back from the second call has sent both as one: see taken_from_sleeper(). */
    w->tx->taken -= (uint64_t)put;
    more = writing_put(w, data + 1, n - 1, flags);
    if (!w->lost)
        w->tx->taken += (uint64_t)put;
    return more > 0 ? put + more : put;
}

void stream_say_copied(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        struct sock_extended_err *e = (struct sock_extended_err *)(void *)CMSG_DATA(c);
        bool is_error = (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
                        (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR);
        if (is_error && c->cmsg_len >= CMSG_LEN(sizeof *e) && e->ee_origin == SO_EE_ORIGIN_ZEROCOPY)
            e->ee_code |= SO_EE_CODE_ZEROCOPY_COPIED;
    }
}
