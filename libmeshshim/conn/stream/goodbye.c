/* See goodbye.h. */
#include "conn/stream/goodbye.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/lock.h"
#include "base/process.h"
#include "base/quiet.h"
#include "base/thread.h"
#include "conn/openfds.h"
#include "conn/ownfd.h"
#include "conn/stream/stream.h"
#include "tls/ktls.h"
#include "tls/record.h"

enum {
    MOST = 16,
    LOOK_MS = 10, /* poll wants a third of the buffer to be free, a record less */
    PATIENCE_MS = 60 * 1000,
    PATIENCE_AT_END_MS = 5 * 1000
};

static struct later {
    int fd; /* 0: free */
    bool shut;
    int64_t until;
} list[MOST];
static struct lock lock;
static _Atomic int count;
static _Atomic bool running;

/* It is out, or never will be. */
static bool is_over(const struct later *later, int64_t now)
{
    static const uint8_t close_notify[2] = { 1, ALERT_CLOSE_NOTIFY };
    return ktls_send(later->fd, RECORD_ALERT, close_notify, sizeof close_notify) != -EAGAIN ||
           now >= later->until;
}

static void end(struct later *later)
{
    if (later->shut)
        libc.shutdown(later->fd, SHUT_WR);
    ownfd_drop(later->fd);
    later->fd = 0;
    atomic_fetch_sub(&count, 1);
}

/* Says what can be said now; *one is a descriptor of those that are left. How many there are. */
static int say(int *one)
{
    struct quiet quiet;
    int64_t now = clock_ms();
    int saved = errno, left = 0;

    quiet_begin(&quiet);
    if (lock_take(&lock) != LOCK_MINE) {
        for (int i = 0; i < MOST; i++) {
            if (list[i].fd && is_over(&list[i], now))
                end(&list[i]);
            else if (list[i].fd)
                *one = list[i].fd, left++;
        }
        lock_release(&lock);
    }
    quiet_end(&quiet);
    errno = saved;
    return left;
}

static void wait_for_room(int fd)
{
    struct pollfd room = { fd, POLLOUT, 0 };
    libc.poll(&room, 1, LOOK_MS);
}

static void *run(void *unused)
{
    int fd;
    (void)unused;
    do {
        while (say(&fd) > 0)
            wait_for_room(fd);
        atomic_store(&running, false);
    } while (atomic_load(&count) > 0 && !atomic_exchange(&running, true));
    return NULL;
}

static bool has_thread(void)
{
    if (atomic_exchange(&running, true) || thread_start(run) == 0)
        return true;
    atomic_store(&running, false);
    return false;
}

/* The program's epoll sets forget it, as at any last close; the kernel would go on to report it. Whatever is no such set says so. */
static void leave_set(int set, void *fd)
{
    libc.epoll_ctl(set, EPOLL_CTL_DEL, *(int *)fd, NULL);
}

static bool keep(int fd, bool shut)
{
    for (int i = 0; i < MOST; i++) {
        int own;
        if (list[i].fd)
            continue;
        own = ownfd_copy(fd);
        if (own > 0) {
            list[i] = (struct later){ own, shut, clock_ms() + PATIENCE_MS };
            atomic_fetch_add(&count, 1);
        }
        return own > 0;
    }
    return false;
}

static bool say_later(int fd, bool shut)
{
    struct quiet quiet;
    int saved = errno;
    bool kept = false;

    if (process_is_locked_in()) /* no thread may be started */
        return false;
    quiet_begin(&quiet);
    if (lock_take(&lock) != LOCK_MINE) {
        kept = keep(fd, shut);
        lock_release(&lock);
    }
    if (kept && !shut)
        openfds_each(leave_set, &fd);
    quiet_end(&quiet);
    if (kept && !has_thread())
        goodbye_finish();
    errno = saved;
    return kept;
}

bool goodbye_say(struct conn *conn, int fd, bool shut)
{
    return !stream_finish(conn, fd) && say_later(fd, shut);
}

void goodbye_finish(void)
{
    int64_t until = clock_ms() + PATIENCE_AT_END_MS;
    int fd;

    while (atomic_load(&count) > 0 && say(&fd) > 0 && clock_ms() < until)
        wait_for_room(fd);
}

void goodbye_after_fork(void)
{
    lock = (struct lock){ 0 };
    atomic_store(&running, false);
    for (int i = 0; i < MOST; i++) {
        if (list[i].fd)
            ownfd_drop(list[i].fd);
        list[i].fd = 0;
    }
    atomic_store(&count, 0);
}
