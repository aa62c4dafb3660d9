/* What the kernel or libc may say of each call: an errno, or that it did less than was asked. */
#include "drive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

static const struct {
    int call;
    int error[ERRORS];
} likely[] = {
    { CALL_socket, { EMFILE, ENFILE, ENOBUFS } },
    { CALL_accept, { EMFILE, ENFILE, ENOBUFS, ECONNABORTED, EINTR } },
    { CALL_accept4, { EMFILE, ENFILE, ENOBUFS, ECONNABORTED, EINTR } },
    { CALL_connect, { ENETUNREACH, EADDRNOTAVAIL, ENOBUFS, ECONNREFUSED, EINTR } },
    { CALL_send, { ECONNRESET, EPIPE, ENOBUFS, EAGAIN, EINTR, FAULT_SHORT } },
    { CALL_sendmsg, { ECONNRESET, EPIPE, ENOBUFS, EAGAIN, EINTR, FAULT_SHORT } },
    { CALL_recv, { ECONNRESET, ENOMEM, ETIMEDOUT, EAGAIN, EINTR, FAULT_SHORT, FAULT_END } },
    { CALL_recvmsg, { ECONNRESET, ENOMEM, ETIMEDOUT, EAGAIN, EINTR } },
    { CALL_read, { EIO, EINTR, FAULT_SHORT, FAULT_END } },
    { CALL_write, { ENOSPC, EIO, EDQUOT, EINTR, FAULT_SHORT } },
    { CALL_close, { EIO, EINTR } },
    { CALL_open, { EMFILE, EACCES, ENOENT, EROFS, ENOSPC, EINTR } },
    { CALL_opendir, { EMFILE, ENOENT } },
    { CALL_dup, { EMFILE } },
    { CALL_poll, { EINTR, ENOMEM } },
    { CALL_ppoll, { EINTR, ENOMEM } },
    { CALL_epoll_wait, { EINTR } },
    { CALL_epoll_pwait, { EINTR } },
    { CALL_epoll_pwait2, { EINTR, ENOSYS } },
    { CALL_epoll_ctl, { ENOSPC, ENOMEM } },
    { CALL_fork, { EAGAIN, ENOMEM } },
    { CALL_posix_spawn, { EAGAIN, ENOMEM } },
    { CALL_execve, { ENOMEM, E2BIG, EACCES } },
    { CALL_getsockopt, { ENOBUFS, ENOPROTOOPT } },
    { CALL_setsockopt, { ENOBUFS, ENOPROTOOPT } },
    { CALL_getpeername, { ENOTCONN, ENOBUFS } },
    { CALL_getsockname, { ENOBUFS } },
    { CALL_shutdown, { ENOTCONN } },
    { CALL_timerfd_create, { EMFILE, ENFILE } },
    { CALL_inotify_init1, { EMFILE } },
    { CALL_inotify_add_watch, { ENOSPC } },
    { CALL_bind, { EADDRINUSE, EROFS, ENOSPC } },
    { CALL_mkdir, { EROFS, ENOSPC, EACCES } },
    { CALL_ftruncate, { ENOSPC, EFBIG, EINTR } },
    { CALL_fallocate, { ENOSPC, EOPNOTSUPP, EINTR } },
    { CALL_pwrite, { ENOSPC, EIO, EINTR, FAULT_SHORT } },
    { CALL_pread, { EIO, EINTR, FAULT_SHORT, FAULT_END } },
    { CALL_preadv64, { EIO } },
    { CALL_flock, { ENOLCK, EWOULDBLOCK } },
    { CALL_pthread_create, { EAGAIN } },
    { CALL_nanosleep, { EINTR } },
    { CALL_sem_clockwait, { ETIMEDOUT, EINTR } },
    { CALL_kill, { EPERM } },
    { CALL_getrandom, { EAGAIN, ENOSYS, EINTR, FAULT_SHORT } },
    { CALL_getentropy, { EIO } },
    { CALL_stat, { ENOENT, EACCES } },
    { CALL_lstat, { ENOENT, EACCES } },
    { CALL_readlink, { ENOENT } },
    { CALL_realpath, { ENOENT } },
    { CALL_rename, { ENOSPC, EROFS } },
    { CALL_unlink, { EROFS } },
    { CALL_fchmod, { EROFS } },
    { CALL_chmod, { EROFS } },
    { CALL_mlock, { ENOMEM, EAGAIN } },
    { CALL_madvise, { ENOMEM, EINVAL } },
    { CALL_access, { ENOENT } },
    { CALL_faccessat, { EACCES } },
    { CALL_prctl, { EPERM } },
};

/* A system call by number. */
static const struct {
    long number;
    int error[ERRORS];
} likely_numbers[] = {
    { SYS_recvfrom, { ECONNRESET, ENOMEM, EAGAIN, EINTR, FAULT_SHORT, FAULT_END } },
    { SYS_sendto, { ECONNRESET, EPIPE, ENOBUFS, EAGAIN, EINTR, FAULT_SHORT } },
    { SYS_openat, { EMFILE, ENOENT, EACCES } },
    { SYS_getdents64, { ENOENT } },
    { SYS_memfd_create, { EMFILE, ENOMEM } },
    { SYS_nanosleep, { EINTR } },
    { SYS_futex, { EINTR } },
    { SYS_ppoll, { EINTR, ENOMEM } },
};

const int *errors_of(int call, uint32_t detail)
{
    static const int usual[ERRORS] = { ENOMEM }, numbers[ERRORS] = { EMFILE }, locks[ERRORS] = { ENOLCK };
    if (call == CALL_fcntl)
        return detail == F_DUPFD || detail == F_DUPFD_CLOEXEC ? numbers : detail == F_SETLK ? locks : usual;
    for (size_t i = 0; call == CALL_syscall && i < sizeof likely_numbers / sizeof likely_numbers[0]; i++)
        if ((uint32_t)likely_numbers[i].number == detail)
            return likely_numbers[i].error;
    for (size_t i = 0; i < sizeof likely / sizeof likely[0]; i++)
        if (likely[i].call == call)
            return likely[i].error;
    return usual;
}
