/*
 * The real libc calls behind the wrapped ones.
 *
 * Code of this library never calls a wrapped name directly: it would enter its own hook. It calls
 * libc.NAME(...). Only libc.c looks symbols up (dlsym), once, without allocating.
 */
#ifndef MESHSHIM_LIBC_H
#define MESHSHIM_LIBC_H

#include <aio.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>
#include <wchar.h>

/* System calls that the newer architectures have left out. */
#ifndef SYS_open
#define SYS_open -1
#endif
#ifndef SYS_creat
#define SYS_creat -1
#endif
#ifndef SYS_pipe
#define SYS_pipe -1
#endif
#ifndef SYS_epoll_create
#define SYS_epoll_create -1
#endif
#ifndef SYS_poll
#define SYS_poll -1
#endif
#ifndef SYS_select
#define SYS_select -1
#endif
#ifndef SYS_epoll_wait
#define SYS_epoll_wait -1
#endif
#ifndef SYS_dup2
#define SYS_dup2 -1
#endif
#ifndef SYS_inotify_init
#define SYS_inotify_init -1
#endif

/* Macros in optimized builds. */
#undef fread_unlocked
#undef fwrite_unlocked

struct group;
struct mntent;
struct passwd;
struct sgrp;
struct spwd;

struct libc_calls {
#define SYM(ret, name, params, args, number) ret(*name) params;
#include "base/symbols.def"
#undef SYM
};

/* Valid from the first instruction: until bound, each pointer leads to a stand-in, which see. */
extern struct libc_calls libc;

/*
 * recv and send with MSG_DONTWAIT. libc's own are points at which a cancelled thread ends even so, between the bytes that were taken and
 * those that were delivered.
 */
static inline ssize_t libc_recv_now(int fd, void *data, size_t n, int flags)
{
    return libc.syscall(SYS_recvfrom, fd, (long)data, (long)n, flags | MSG_DONTWAIT, 0, 0);
}

static inline ssize_t libc_send_now(int fd, const void *data, size_t n, int flags)
{
    return libc.syscall(SYS_sendto, fd, (long)data, (long)n, flags | MSG_DONTWAIT, 0, 0);
}

/* What poll says of `fd` at this moment; 0 for nothing. Likewise no point at which a thread ends. */
static inline int libc_poll_now(int fd, short events)
{
    struct pollfd look = { fd, events, 0 };
    struct timespec now = { 0, 0 };
    return libc.syscall(SYS_ppoll, (long)&look, 1, (long)&now, 0, 0, 0) == 1 ? look.revents : 0;
}

/* Binds every pointer. Idempotent; safe from any thread and from inside an allocator that we woke. */
void libc_bind(void);
/*
 * Is libc in front of us, named in LD_PRELOAD before this library? Then it is libc that the program calls, and nothing comes here. (Another
 * library in front, a sanitizer's, calls on.)
 */
bool libc_is_in_front(void);

#endif
