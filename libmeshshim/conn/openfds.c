/* See openfds.h. */
#include "conn/openfds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/banned.h"
#include "base/libc.h"
#include "conn/ownfd.h"

/* What getdents64(2) writes. */
struct entry {
    uint64_t inode;
    int64_t next;
    unsigned short length;
    unsigned char type;
    char name[];
};

/* -1 for "." and "..". */
static int number_of(const char *name)
{
    int fd = 0;
    for (; *name; name++) {
        if (*name < '0' || *name > '9' || fd > INT32_MAX / 10 - 9)
            return -1;
        fd = fd * 10 + (*name - '0');
    }
    return fd;
}

static bool by_proc(void (*each)(int, void *), void *context)
{
    _Alignas(8) char buffer[1024];
    int directory = (int)libc.syscall(SYS_openat, AT_FDCWD, (long)"/proc/self/fd",
                                      O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
    long n;
    if (directory < 0)
        return false;
    while ((n = libc.syscall(SYS_getdents64, directory, (long)buffer, sizeof buffer, 0, 0, 0)) > 0) {
        for (long at = 0; at < n;) {
            const struct entry *entry = (const void *)(buffer + at);
            int fd = number_of(entry->name);
            at += entry->length;
            if (fd >= 0 && fd != directory && !ownfd_is(fd))
                each(fd, context);
        }
    }
    libc.close(directory);
    return n == 0;
}

/* Without /proc (chroot): those that nearly every program stays below, and those of ours, just beyond the limit. */
static void by_asking(void (*each)(int, void *), void *context)
{
    struct rlimit limit;
    rlim_t most = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096 ? limit.rlim_cur : 4096;
    for (int fd = 0; (rlim_t)fd < most + OWNFD_MOST; fd++)
        if (!ownfd_is(fd) && libc.fcntl(fd, F_GETFD, 0) >= 0)
            each(fd, context);
}

void openfds_each(void (*each)(int fd, void *context), void *context)
{
    if (!by_proc(each, context))
        by_asking(each, context);
}

enum openfd_kind openfd_kind(int fd)
{
    int type = 0, domain = 0, protocol = 0, listens = 0;
    socklen_t length = sizeof type;
    if (libc.getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0)
        return errno == ENOTSOCK || errno == EBADF ? OPENFD_OTHER : OPENFD_TCP;
    if (domain == AF_UNIX)
        return OPENFD_UNIX;
    if (domain != AF_INET && domain != AF_INET6)
        return OPENFD_OTHER;
    if (libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type != SOCK_STREAM)
        return OPENFD_OTHER;
    if (libc.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol != IPPROTO_TCP)
        return OPENFD_OTHER;
    libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);
    return listens ? OPENFD_LISTENER : OPENFD_TCP;
}

bool openfd_is_unconnected(int fd)
{
    uint8_t state = 0; /* the first byte of struct tcp_info */
    socklen_t length = sizeof state;
    return libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) == 0 && state == TCP_CLOSE;
}

bool openfd_is_inherited(int fd)
{
    int flags = libc.fcntl(fd, F_GETFD, 0);
    return flags >= 0 && !(flags & FD_CLOEXEC);
}
