/*
 * What a program's poll, select and epoll see of a pending connection: nothing, until it is settled.
 *
 * On an established connection the kernel's own readiness is true (stream.h) and nothing here runs. For a pending one the
 * program's epoll registration is kept aside, and the kernel is given ours, with a cookie instead of the program's data; the program's own
 * epoll_wait drives the handshake when the cookie comes back. EPOLL_CTL_MOD puts the registration back, which raises the right
 * event at once. One timerfd a process, in every set that waits for a pending connection, keeps the deadlines.
 */
#ifndef MESHSHIM_READINESS_H
#define MESHSHIM_READINESS_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <time.h>

#include "conn/conn.h"

/* The program's epoll_ctl on a descriptor of `conn`. Returns 0 or minus an errno. */
int readiness_control(struct conn *conn, int epfd, int op, int fd, const struct epoll_event *event);
/* Shows the kernel what the handshake wants, or the program's own registrations again. The steps lock is held. */
void readiness_hide(struct conn *conn);
void readiness_show(struct conn *conn);
/*
 * `fd` is about to be closed, and `other` leads to the connection as well. A registration outlives the number under which it was
 * made, but nobody can change it any more: it goes on under the other one. The steps lock is held.
 */
void readiness_leave(struct conn *conn, int fd, int other);
/* The program's last descriptor goes, and the connection stays a while: nobody is told of it any more. The steps lock is held. */
void readiness_forget(struct conn *conn);
/* What `epfd` is to say of a pending connection whose registration has come back. False: nothing, as mostly. */
bool readiness_event(struct conn *conn, int epfd, struct epoll_event *event);
/* A deadline in milliseconds of the monotonic clock. */
void readiness_arm(int64_t deadline_ms);

/*
 * What follows epoll_wait or one of its kin: `n` is its answer, the rest is what it was asked. Our own events are taken out, and
 * where nothing remains the wait goes on. `timeout` NULL waits for ever; `fine`: by epoll_pwait2. Returns a count, or -1 with
 * errno as the kernel left it.
 */
int readiness_epoll_on(int epfd, struct epoll_event *events, int max, int n, const struct timespec *timeout,
                       bool fine, const sigset_t *mask);
/* Does `fds` hold a pending connection? Only then is readiness_poll needed. */
bool readiness_concerns(const struct pollfd *fds, nfds_t n);
int readiness_poll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask);

/* Once, at start-up; in a forked child. */
void readiness_init(void);
void readiness_after_fork(void);

#endif
