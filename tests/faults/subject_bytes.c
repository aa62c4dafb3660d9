/* What is sent and what must come back: the canary, from any place on. */
#include "subject.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void fill(char *at, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        at[i] = canary[(from + i) % GREETING];
}

void check(const char *at, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] != canary[(from + i) % GREETING])
            wrong("other bytes than were sent");
}

bool wait_for(int fd, short events)
{
    struct pollfd one = { fd, events, 0 };
    int n;
    do
        n = poll(&one, 1, PATIENCE * 1000);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

bool again(int fd, short events)
{
    return errno == EINTR || (errno == EAGAIN && wait_for(fd, events));
}

bool put(int fd, const char *at, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done > 0) {
            at += done;
            n -= (size_t)done;
        } else if (!again(fd, POLLOUT)) {
            return false;
        }
    }
    return true;
}

bool get(int fd, char *at, size_t n)
{
    while (n > 0) {
        ssize_t done = read(fd, at, n);
        if (done > 0) {
            at += done;
            n -= (size_t)done;
        } else if (done == 0) {
            errno = EPIPE;
            return false;
        } else if (!again(fd, POLLIN)) {
            return false;
        }
    }
    return true;
}

bool put_canary(int fd, size_t n)
{
    static char bytes[LARGE];
    fill(bytes, n, 0);
    return put(fd, bytes, n);
}

bool get_canary(int fd, size_t n)
{
    static char bytes[LARGE];
    if (!get(fd, bytes, n))
        return false;
    check(bytes, n, 0);
    return true;
}

bool echo(int fd, size_t n)
{
    return get_canary(fd, n) && put_canary(fd, n);
}

bool ask(int fd, size_t n)
{
    return put_canary(fd, n) && get_canary(fd, n);
}
