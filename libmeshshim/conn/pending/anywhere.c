/* See anywhere.h. */
#include "conn/pending/anywhere.h"

#include <netinet/in.h>

#include "base/banned.h"

static bool is_mapped(const struct in6_addr *address)
{
    return IN6_IS_ADDR_V4MAPPED(address);
}

bool anywhere_is(const struct sockaddr *address)
{
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr == INADDR_ANY;
    return IN6_IS_ADDR_UNSPECIFIED(six) || (is_mapped(six) && six->s6_addr32[3] == INADDR_ANY);
}

/* IPv4: the address that the socket is bound to, or else the loopback. */
static in_addr_t four_of(in_addr_t own)
{
    return own == INADDR_ANY ? htonl(INADDR_LOOPBACK) : own;
}

/* IPv6: the loopback whatever it is bound to, of IPv4 where it is bound to IPv4. */
static void follow_six(struct in6_addr *to, const struct in6_addr *own)
{
    static const struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
    in_addr_t four = is_mapped(to) && is_mapped(own) ? own->s6_addr32[3] : INADDR_ANY;
    if (!is_mapped(to) && !is_mapped(own)) {
        *to = in6addr_loopback;
        return;
    }
    *to = mapped;
    to->s6_addr32[3] = four_of(four);
}

void anywhere_follow(int fd, struct sockaddr_storage *address)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } own = { .six = { 0 } };
    socklen_t length = sizeof own;
    (void)getsockname(fd, &own.any, &length); /* what fails leaves it bound to nothing */
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_addr.s_addr = four_of(own.four.sin_addr.s_addr);
    else
        follow_six(&((struct sockaddr_in6 *)address)->sin6_addr, &own.six.sin6_addr);
}
