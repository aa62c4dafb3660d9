/*
 * Calls that do less than they were asked for: one byte, or nothing, which is no error.
 *
 *   LITTLE(name, (arguments));     returns what `next` does of it, where that call can do less; otherwise goes on
 */
#ifndef FAULTS_LITTLE_H
#define FAULTS_LITTLE_H

#include <sys/socket.h>
#include <sys/syscall.h>

#include "control.h"

/* SHORT_name (arguments) is two arguments of a macro where it is defined, and one where it is not. */
#define LITTLE(name, args) LITTLE_OF(SHORT_##name args, (void)0, )
#define LITTLE_OF(...)     SECOND(__VA_ARGS__)
#define SECOND(a, b, ...)  b
#define ANSWER(result)     ~, return why == FAULT_END ? 0 : (result)
#define LEAST(n)           ((n) ? 1u : 0u)

#define SHORT_read(fd, at, n)                   ANSWER(next(fd, at, LEAST(n)))
#define SHORT_write(fd, at, n)                  ANSWER(next(fd, at, LEAST(n)))
#define SHORT_recv(fd, at, n, flags)            ANSWER(next(fd, at, LEAST(n), flags))
#define SHORT_send(fd, at, n, flags)            ANSWER(next(fd, at, LEAST(n), flags))
#define SHORT_sendmsg(fd, message, flags)       ANSWER(little_message(next, fd, message, flags))
#define SHORT_pread(fd, at, n, offset)          ANSWER(next(fd, at, LEAST(n), offset))
#define SHORT_pwrite(fd, at, n, offset)         ANSWER(next(fd, at, LEAST(n), offset))
#define SHORT_getrandom(at, n, flags)           ANSWER(next(at, LEAST(n), flags))
#define SHORT_syscall(number, a, b, c, d, e, f) ANSWER(little_syscall(next, number, a, b, c, d, e, f))

static ssize_t little_message(ssize_t (*next)(int, const struct msghdr *, int), int fd,
                              const struct msghdr *message, int flags)
{
    struct msghdr less = *message;
    struct iovec first = message->msg_iovlen ? message->msg_iov[0] : (struct iovec){ 0 };
    first.iov_len = LEAST(first.iov_len);
    less.msg_iov = &first;
    less.msg_iovlen = message->msg_iovlen ? 1 : 0;
    return next(fd, &less, flags);
}

static long little_syscall(long (*next)(long, long, long, long, long, long, long), long number, long a,
                           long b, long c, long d, long e, long f)
{
    if (number == SYS_recvfrom || number == SYS_sendto || number == SYS_getrandom)
        c = LEAST(c);
    return next(number, a, b, c, d, e, f);
}

#endif
