/* See readiness.h. */
#include "conn/pending/readiness.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "conn/fdtable.h"
#include "conn/ownfd.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/readiness_parts.h"
#include "conn/stream/undo.h"

/* ---- the timer ---- */

static _Atomic int timer = -1;
static struct lock timer_lock;
static int64_t timer_due;

static int make_timer(void)
{
    int fd = libc.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int the_timer(void)
{
    int none = -1, fd = atomic_load(&timer);
    if (fd >= 0)
        return fd;
    fd = ownfd_make(make_timer);
    if (fd < 0 || atomic_compare_exchange_strong(&timer, &none, fd))
        return fd;
    ownfd_drop(fd); /* another thread was first */
    return none;
}

static void set_timer(int64_t due)
{
    struct itimerspec when = { .it_value = { due / 1000, due % 1000 * 1000000 } };
    /* Where it could not be set, or is not there, the next deadline is tried again. */
    timer_due = timerfd_settime(the_timer(), TFD_TIMER_ABSTIME, &when, NULL) == 0 ? due : 0;
}

void readiness_arm(int64_t deadline_ms)
{
    struct quiet quiet;
    if (deadline_ms <= 0)
        return;
    quiet_begin(&quiet);
    lock_take(&timer_lock);
    if (timer_due == 0 || deadline_ms < timer_due)
        set_timer(deadline_ms);
    lock_release(&timer_lock);
    quiet_end(&quiet);
}

static void timer_fired(void)
{
    struct quiet quiet;
    int64_t next;
    quiet_begin(&quiet);
    next = pending_expire(clock_ms());
    lock_take(&timer_lock);
    set_timer(next); /* 0 disarms it, and takes its readiness away */
    lock_release(&timer_lock);
    quiet_end(&quiet);
}

int readiness_add_timer(int epfd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = readiness_cookie(TIMER_INDEX) };
    int fd = the_timer();
    if (fd < 0)
        return fd == -1 ? -ENOMEM : fd;
    return libc.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST ? 0 : -errno;
}

void readiness_after_fork(void)
{
    int inherited = atomic_exchange(&timer, -1);
    if (inherited >= 0)
        ownfd_drop(inherited);
    timer_due = 0;
    timer_lock = (struct lock){ 0 };
}

/* ---- time left ---- */

static int64_t deadline_of(const struct timespec *timeout)
{
    if (!timeout)
        return -1;
    return clock_ns() + (int64_t)timeout->tv_sec * 1000000000 + timeout->tv_nsec;
}

static const struct timespec *time_left(int64_t deadline, struct timespec *left)
{
    int64_t ns;
    if (deadline < 0)
        return NULL;
    ns = deadline - clock_ns();
    if (ns < 0)
        ns = 0;
    *left = (struct timespec){ ns / 1000000000, ns % 1000000000 };
    return left;
}

static bool is_longer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static int in_ms(const struct timespec *timeout)
{
    if (!timeout)
        return -1;
    if (timeout->tv_sec >= 2147483)
        return 2147483647;
    return (int)(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999999) / 1000000);
}

/* ---- epoll ---- */

static int real_epoll_wait(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
                           bool fine, const sigset_t *mask)
{
    if (fine)
        return libc.epoll_pwait2(epfd, events, max, timeout, mask);
    return libc.epoll_pwait(epfd, events, max, in_ms(timeout), mask);
}

/* Takes our own events out, drives what they stand for. Returns how many of the program's are left. */
static int sift(int epfd, struct epoll_event *events, int n, int *driven)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        uint64_t data = events[i].data.u64;
        uint32_t index = (uint32_t)(data & TIMER_INDEX);
        struct conn *conn;
        if (!readiness_is_cookie(data)) {
            events[kept++] = events[i];
            continue;
        }
        if (index == TIMER_INDEX) {
            timer_fired();
            continue;
        }
        conn = conn_at(index);
        if (conn && conn_is_pending(conn)) {
            pending_drive(conn);
            ++*driven;
            kept += readiness_event(conn, epfd, &events[kept]);
        }
    }
    return kept;
}

/* `more` events behind `n`: what one descriptor has twice becomes one. */
static int merge(struct epoll_event *events, int n, int more)
{
    for (int i = n, end = n + more; i < end; i++) {
        int at = 0;
        while (at < n && events[at].data.u64 != events[i].data.u64)
            at++;
        if (at < n)
            events[at].events |= events[i].events;
        else
            events[n++] = events[i];
    }
    return n;
}

/*
 * Both ends of a connection may be in this very set: what one was sent just now the other can answer, and on plain TCP they would
 * be ready together.
 */
static int sift_both_ends(int epfd, struct epoll_event *events, int max, int n)
{
    int driven = 0, more;
    n = sift(epfd, events, n, &driven);
    for (int round = 0; round < FLIGHTS && driven && n < max; round++) {
        if ((!pending_drive_selves() && round == 0) ||
            (more = libc.epoll_wait(epfd, events + n, max - n, 0)) <= 0)
            break;
        driven = 0;
        n = merge(events, n, sift(epfd, events + n, more, &driven));
    }
    return n;
}

static bool any_cookie(const struct epoll_event *events, int n)
{
    for (int i = 0; i < n; i++)
        if (readiness_is_cookie(events[i].data.u64))
            return true;
    return false;
}

int readiness_epoll_on(int epfd, struct epoll_event *events, int max, int n, const struct timespec *timeout,
                       bool fine, const sigset_t *mask)
{
    int64_t deadline;
    struct timespec left;
    int saved;
    if (n <= 0 || !any_cookie(events, n))
        return n;
    saved = errno;
    deadline = deadline_of(timeout);
    for (;;) {
        n = sift_both_ends(epfd, events, max, n);
        if (n > 0) {
            errno = saved;
            return n;
        }
        n = real_epoll_wait(epfd, events, max, time_left(deadline, &left), fine, mask);
        if (n <= 0)
            return n;
    }
}

/* ---- poll ---- */

static const struct pending *pending_at(int fd, struct conn **found)
{
    struct conn *conn = fdtable_get(fd);
    *found = conn;
    return conn && conn_is_pending(conn) ? conn->pending : NULL;
}

bool readiness_concerns(const struct pollfd *fds, nfds_t n)
{
    struct conn *conn;
    if (atomic_load_explicit(&pending_count, memory_order_relaxed) == 0)
        return false;
    for (nfds_t i = 0; i < n; i++)
        if (pending_at(fds[i].fd, &conn))
            return true;
    return false;
}

enum { FEW = 64 };

/* What the kernel is asked on behalf of the program, and the timer behind it. */
struct question {
    struct pollfd *ask, few[FEW];
    bool *hidden, few_hidden[FEW]; /* asked for the handshake's wish instead of the program's own */
    nfds_t n;
    struct conn *awaited[FEW]; /* this thread sleeps on them until they are settled */
    int awaited_count;
};

static bool question_begin(struct question *q, nfds_t n)
{
    q->n = n;
    q->awaited_count = 0;
    q->ask = n < FEW ? q->few : malloc((n + 1) * (sizeof *q->ask + sizeof *q->hidden));
    q->hidden = n < FEW ? q->few_hidden : (void *)(q->ask + n + 1);
    return q->ask != NULL;
}

static void question_end(void *question)
{
    struct question *q = question;
    if (q->ask != q->few)
        free(q->ask);
}

/* False where it has been settled before it could be marked: its own readiness counts. */
static bool await_one(struct question *q, int fd, struct conn *conn)
{
    if (q->awaited_count == FEW)
        return true;
    q->awaited[q->awaited_count++] = conn;
    pending_await(conn);
    return pending_at(fd, &conn) != NULL;
}

static void awake_all(void *question)
{
    struct question *q = question;
    while (q->awaited_count)
        pending_awake(q->awaited[--q->awaited_count]);
}

short readiness_shown(const struct conn *conn, short asked)
{
    const struct pending *p = conn->pending;
    short shown = pending_is_writable(conn) ? POLLOUT | POLLWRNORM : 0;
    if (p && pending_is_deaf(conn))
        shown |= POLLIN | POLLRDNORM | POLLRDHUP | (p->shut_write ? POLLHUP : 0);
    return (short)(shown & (asked | POLLHUP));
}

/* What to ask the kernel: for a pending connection the handshake's wish, else the program's own. True: one is pending. */
static bool translate(struct question *q, const struct pollfd *fds)
{
    struct conn *conn;
    bool any = false;
    for (nfds_t i = 0; i < q->n; i++) {
        q->ask[i] = fds[i];
        q->ask[i].revents = 0;
        q->hidden[i] = pending_at(fds[i].fd, &conn) && await_one(q, fds[i].fd, conn);
        if (!q->hidden[i])
            continue;
        any = true;
        q->ask[i].events =
            (short)(pending_wants(conn) | (readiness_shown(conn, fds[i].events) ? POLLOUT : 0));
        if (q->ask[i].events == 0)
            q->ask[i].fd = -1;
    }
    q->ask[q->n] = (struct pollfd){ the_timer(), POLLIN, 0 };
    return any;
}

/*
 * One that was pending when the kernel was asked: whatever came was for the handshake. Settled just now, by this thread or another, or
 * by the time, its own readiness counts from here on.
 */
static short uncover(const struct pollfd *own, short came)
{
    struct pollfd now = *own;
    struct conn *conn;
    if (pending_at(own->fd, &conn) && came)
        pending_drive(conn);
    if (pending_at(own->fd, &conn))
        return readiness_shown(conn, own->events);
    now.revents = 0;
    libc.poll(&now, 1, 0);
    if (conn && conn_state(conn) == CONN_FAILED && conn->shared && conn->shared->inbound)
        now.revents &= (short)~(POLLERR | POLLHUP); /* an accepted connection that has ended: just that */
    else if (conn && conn_state(conn) == CONN_FAILED && conn->error)
        now.revents |= POLLERR; /* the handshake has met it, and the kernel tells each error once */
    return now.revents;
}

/* How many of the program's own descriptors are ready, given the kernel's answer; drives the rest. */
static int collect(const struct question *q, struct pollfd *fds)
{
    int ready = 0;
    for (nfds_t i = 0; i < q->n; i++) {
        struct conn *conn;
        bool hidden = q->hidden[i] || pending_at(fds[i].fd, &conn);
        fds[i].revents = hidden ? uncover(&fds[i], q->ask[i].revents) : q->ask[i].revents;
        ready += fds[i].revents != 0;
        if (fds[i].revents && pending_at(fds[i].fd, &conn))
            pending_hold(conn, false); /* in the grace: not to be woken for the handshake's own readiness */
    }
    return ready;
}

static int sleep_on(struct question *q, const struct timespec *limit, const sigset_t *mask)
{
    struct undo undo;
    int result;
    undo_begin(&undo, awake_all, q);
    result = libc.ppoll(q->ask, q->n + 1, limit, mask);
    if (result < 0 &&
        errno == EINVAL) { /* one more than RLIMIT_NOFILE: without the timer, whose turn it may be */
        result = libc.ppoll(q->ask, q->n, limit, mask);
        q->ask[q->n].revents = POLLIN;
    }
    undo_end(&undo);
    awake_all(q);
    return result;
}

/* The kernel's answer, or minus one; *over: the program's time is up. */
static int ask_once(struct question *q, const struct pollfd *fds, int64_t deadline, const sigset_t *mask,
                    bool *over)
{
    struct timespec left, nap = { 0, PENDING_SLEEP_MS * 1000000L };
    const struct timespec *limit = time_left(deadline, &left);
    int result;
    *over = limit && limit->tv_sec == 0 && limit->tv_nsec == 0;
    if (translate(q, fds) && (!limit || is_longer(limit, &nap)))
        limit = &nap;
    result = sleep_on(q, limit, mask);
    if (result >= 0 && q->ask[q->n].revents)
        timer_fired();
    return result;
}

/*
 * The time is up, but both ends may be on this very thread: what one has sent before the proof would be there on plain TCP, and nobody else makes
 * it arrive in less than a moment.
 */
static int ask_both_ends(struct question *q, struct pollfd *fds, int64_t deadline, const sigset_t *mask)
{
    int result = 0;
    for (int round = 0; round < FLIGHTS && result == 0; round++) {
        bool over;
        if (!pending_drive_selves() && round == 0)
            break;
        pending_drive_others(NULL);
        result = ask_once(q, fds, deadline, mask, &over);
        if (result >= 0)
            result = collect(q, fds);
    }
    return result;
}

int readiness_poll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    int64_t deadline = deadline_of(timeout);
    struct question q;
    struct undo undo;
    int result;
    bool over;
    if (!question_begin(&q, n)) /* spurious events are better than none */
        return libc.ppoll(fds, n, timeout, mask);
    undo_begin(&undo, question_end, &q);
    do {
        result = ask_once(&q, fds, deadline, mask, &over);
        if (result >= 0)
            result = collect(&q, fds);
    } while (result == 0 && !over);
    if (result == 0)
        result = ask_both_ends(&q, fds, deadline, mask);
    undo_end(&undo);
    question_end(&q);
    return result;
}
