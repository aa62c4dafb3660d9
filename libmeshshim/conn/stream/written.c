/* How much the kernel has taken; a file of its own, for <linux/tcp.h> and <netinet/tcp.h> do not go together. See send_parts.h. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/banned.h"
#include "base/libc.h"
#include "conn/stream/send_parts.h"

static uint64_t acknowledged(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    return info.tcpi_bytes_acked;
}

/* What is acknowledged, and what is not yet; an acknowledgement that comes in between is seen. */
uint64_t writing_taken(int fd)
{
    uint64_t before, after = acknowledged(fd);
    int queued;
    do {
        before = after;
        queued = 0;
        libc.ioctl(fd, SIOCOUTQ, (long)&queued);
        after = acknowledged(fd);
    } while (before != after);
    return after ? after + (uint64_t)queued : 0;
}
