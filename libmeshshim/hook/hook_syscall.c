/*
 * libc's syscall(). libuv closes by it, some programs do their input and output by it: what has a hook goes through the hook.
 */
#include <sched.h>
#include <string.h>

#include "base/banned.h"
#include "conn/mesh.h"
#include "hook/entry.h"
#include "hook/start.h"

#define PTR(x) ((void *)(uintptr_t)(x))

long hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (mesh_state == MESH_OFF)
        return libc.syscall(number, a, b, c, d, e, f);
    switch (number) {
    case SYS_io_uring_setup: /* its reads and writes could not be seen; programs fall back to epoll */
        return as_result(-ENOSYS);
    case SYS_close:
        return hook_close((int)a);
    case SYS_close_range:
        return hook_close_range((unsigned)a, (unsigned)b, (int)c);
    case SYS_dup:
        return hook_dup((int)a);
    case SYS_dup3:
        return hook_dup3((int)a, (int)b, (int)c);
    case SYS_fcntl:
        return hook_fcntl((int)a, (int)b, c);
    case SYS_ioctl:
        return hook_ioctl((int)a, (unsigned long)b, c);
    case SYS_socket:
        return hook_socket((int)a, (int)b, (int)c);
    case SYS_connect:
        return hook_connect((int)a, PTR(b), (socklen_t)c);
    case SYS_listen:
        return hook_listen((int)a, (int)b);
    case SYS_accept:
        return hook_accept((int)a, PTR(b), PTR(c));
    case SYS_accept4:
        return hook_accept4((int)a, PTR(b), PTR(c), (int)d);
    case SYS_shutdown:
        return hook_shutdown((int)a, (int)b);
    case SYS_read:
        return hook_read((int)a, PTR(b), (size_t)c);
    case SYS_readv:
        return hook_readv((int)a, PTR(b), (int)c);
    case SYS_recvfrom:
        return hook_recvfrom((int)a, PTR(b), (size_t)c, (int)d, PTR(e), PTR(f));
    case SYS_recvmsg:
        return hook_recvmsg((int)a, PTR(b), (int)c);
    case SYS_write:
        return hook_write((int)a, PTR(b), (size_t)c);
    case SYS_writev:
        return hook_writev((int)a, PTR(b), (int)c);
    case SYS_sendto:
        return hook_sendto((int)a, PTR(b), (size_t)c, (int)d, PTR(e), (socklen_t)f);
    case SYS_sendmsg:
        return hook_sendmsg((int)a, PTR(b), (int)c);
    case SYS_sendmmsg:
        return hook_sendmmsg((int)a, PTR(b), (unsigned)c, (int)d);
    case SYS_recvmmsg:
        return hook_recvmmsg((int)a, PTR(b), (unsigned)c, (int)d, PTR(e));
    case SYS_preadv2:
        return hook_preadv2((int)a, PTR(b), (int)c, d, (int)f);
    case SYS_pwritev2:
        return hook_pwritev2((int)a, PTR(b), (int)c, d, (int)f);
    case SYS_splice:
        return hook_splice((int)a, PTR(b), (int)c, PTR(d), (size_t)e, (unsigned)f);
#ifdef SYS_dup2
    case SYS_dup2:
        return hook_dup2((int)a, (int)b);
#endif
#ifdef SYS_poll
    case SYS_poll:
        return hook_poll(PTR(a), (nfds_t)b, (int)c);
#endif
#ifdef SYS_select
    case SYS_select:
        return hook_select((int)a, PTR(b), PTR(c), PTR(d), PTR(e));
#endif
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
        return hook_epoll_wait((int)a, PTR(b), (int)c, (int)d);
#endif
    case SYS_setsockopt:
        return hook_setsockopt((int)a, (int)b, (int)c, PTR(d), (socklen_t)e);
    case SYS_getpeername:
        return hook_getpeername((int)a, PTR(b), PTR(c));
    case SYS_clone:
        if (!(a & CLONE_VM) && b == 0) /* a fork by another name (vsftpd) */
            return process_fork_by(number, a, c, d, e);
        return libc.syscall(number, a, b, c, d, e, f);
#ifdef SYS_fork
    case SYS_fork:
        return hook_fork();
#endif
    case SYS_execve:
        return hook_execve(PTR(a), PTR(b), PTR(c));
    case SYS_execveat:
        return hook_execveat((int)a, PTR(b), PTR(c), PTR(d), (int)e);
    case SYS_sendfile:
        return hook_sendfile64((int)a, (int)b, PTR(c), (size_t)d);
    case SYS_epoll_ctl:
        return hook_epoll_ctl((int)a, (int)b, (int)c, PTR(d));
    case SYS_epoll_pwait:
        return hook_epoll_pwait((int)a, PTR(b), (int)c, (int)d, PTR(e));
    case SYS_ppoll:
        return hook_ppoll(PTR(a), (nfds_t)b, PTR(c), PTR(d));
    case SYS_getsockopt:
        return hook_getsockopt((int)a, (int)b, (int)c, PTR(d), PTR(e));
    default:
        return libc.syscall(number, a, b, c, d, e, f);
    }
}
