/* A program's epoll registrations of connections that are pending: the kernel is shown others instead. See readiness.h. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/banned.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/reach.h"
#include "conn/pending/pending_parts.h"
#include "conn/pending/readiness_parts.h"

/* ---- cookies: random bits that no pointer and no small number has, then the connection's index ---- */

uint64_t readiness_magic;

void readiness_init(void)
{
    uint64_t magic;
    if (getrandom(&magic, sizeof magic, GRND_NONBLOCK) != (ssize_t)sizeof magic)
        magic = (uint64_t)clock_ns() * 0x9e3779b97f4a7c15u;
    magic &= ~(uint64_t)TIMER_INDEX;
    magic |= (uint64_t)1 << 62; /* not canonical as an address, not small, not minus one */
    readiness_magic = magic & ~((uint64_t)1 << 63);
}

uint64_t readiness_cookie(uint32_t index)
{
    return readiness_magic | index;
}

/* ---- registrations ---- */

/* Edge-triggered, for every step goes on until the kernel says EAGAIN: no MOD is needed between the steps. */
static uint32_t handshake_events(const struct conn *conn)
{
    const struct pending *p = conn->pending;
    bool write = conn_state(conn) == CONN_CONNECTING || (p && p->wants_write);
    return EPOLLIN | EPOLLRDHUP | EPOLLET | (write ? EPOLLOUT : 0);
}

static uint32_t shown_events(const struct conn *conn, uint32_t events)
{
    return pending_is_deaf(conn) ? (uint32_t)(uint16_t)readiness_shown(conn, (short)(events & 0xffff)) : 0;
}

/* What stands for the program's own. In its handshake a socket can be written to: so what is to be shown comes back, as often as was asked for. */
static uint32_t hidden_events(const struct conn *conn, uint32_t events)
{
    if (!shown_events(conn, events))
        return handshake_events(conn);
    return EPOLLIN | EPOLLRDHUP | EPOLLOUT | (events & (EPOLLET | EPOLLONESHOT));
}

/* In the grace a program is told that it may write, and nothing else: what can be read is the handshake's. */
static bool is_hidden(const struct pending *p, uint32_t events)
{
    return p && (p->held || !(events & EPOLLOUT));
}

/* MOD is not allowed for an exclusive registration. */
static int modify(const struct registration *r, struct epoll_event *event, bool exclusive)
{
    if (!exclusive)
        return libc.epoll_ctl(r->epfd, EPOLL_CTL_MOD, r->fd, event);
    libc.epoll_ctl(r->epfd, EPOLL_CTL_DEL, r->fd, NULL);
    return libc.epoll_ctl(r->epfd, EPOLL_CTL_ADD, r->fd, event);
}

void readiness_hide(struct conn *conn)
{
    for (int i = 0; i < conn->registration_count; i++) {
        struct registration *r = &conn->registrations[i];
        struct epoll_event ours = { .events = hidden_events(conn, r->events),
                                    .data.u64 = readiness_cookie(conn->index) };
        modify(r, &ours, r->events & EPOLLEXCLUSIVE);
        readiness_add_timer(r->epfd);
    }
}

void readiness_show(struct conn *conn)
{
    for (int i = 0; i < conn->registration_count; i++) {
        struct registration *r = &conn->registrations[i];
        struct epoll_event own = { .events = r->events, .data.u64 = r->data };
        if (!is_hidden(conn->pending, r->events))
            modify(r, &own, r->events & EPOLLEXCLUSIVE);
    }
}

bool readiness_event(struct conn *conn, int epfd, struct epoll_event *event)
{
    struct quiet quiet;
    bool any = false;
    if (!pending_is_deaf(conn) || !steps_enter(conn, &quiet))
        return false;
    for (int i = 0; i < conn->registration_count && !any; i++) {
        struct registration *r = &conn->registrations[i];
        *event = (struct epoll_event){ .events = shown_events(conn, r->events), .data.u64 = r->data };
        any = r->epfd == epfd && event->events;
        if (any && (r->events & EPOLLONESHOT))
            r->events = EPOLLONESHOT; /* until the program arms it again */
    }
    steps_leave(conn, &quiet);
    return any;
}

static struct registration *find(struct conn *conn, int epfd, int fd)
{
    for (int i = 0; i < conn->registration_count; i++)
        if (conn->registrations[i].epfd == epfd && conn->registrations[i].fd == fd)
            return &conn->registrations[i];
    return NULL;
}

static bool remember(struct conn *conn, int epfd, int fd, const struct epoll_event *event)
{
    struct registration *r = find(conn, epfd, fd);
    if (!r && conn->registration_count == conn->registration_room) {
        uint16_t room = (uint16_t)(conn->registration_room ? 2 * conn->registration_room : 1);
        struct registration *more = realloc(conn->registrations, room * sizeof *more);
        if (!more)
            return false;
        conn->registrations = more;
        conn->registration_room = room;
    }
    if (!r)
        r = &conn->registrations[conn->registration_count++];
    *r = (struct registration){ epfd, fd, event->events, event->data.u64 };
    return true;
}

static void forget(struct conn *conn, int epfd, int fd)
{
    struct registration *r = find(conn, epfd, fd);
    if (r)
        *r = conn->registrations[--conn->registration_count];
}

/* The kernel's own rule, which it cannot apply to what it is not shown. */
static bool exclusive_is_wrong(const struct registration *old, int op, uint32_t events)
{
    static const uint32_t allowed =
        EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
    if (op == EPOLL_CTL_MOD && old && (old->events & EPOLLEXCLUSIVE))
        return true;
    return (events & EPOLLEXCLUSIVE) && (op == EPOLL_CTL_MOD || (events & ~allowed));
}

static int control_locked(struct conn *conn, int epfd, int op, int fd, const struct epoll_event *event)
{
    struct epoll_event shown = { 0 };
    const struct registration *old = find(conn, epfd, fd);
    struct pending *p = conn_is_pending(conn) ? conn->pending : NULL;
    bool hidden;
    int result;
    if (p && p->graced && op == EPOLL_CTL_MOD)
        p->held = true; /* it knows that it is connected, and waits for something else now */
    hidden = op != EPOLL_CTL_DEL && event && is_hidden(p, event->events);
    if (hidden && op == EPOLL_CTL_ADD && (event->events & EPOLLOUT) && pending_is_writable(conn) &&
        !pending_is_deaf(conn))
        hidden = false; /* it knows from elsewhere that it is connected, and asks for the first time here */
    if (op != EPOLL_CTL_DEL && exclusive_is_wrong(old, op, event->events))
        return -EINVAL;
    if (event)
        shown = *event;
    if (hidden) {
        shown.events = hidden_events(conn, event->events);
        shown.data.u64 = readiness_cookie(conn->index);
    }
    if (libc.epoll_ctl(epfd, op, fd, &shown) != 0)
        return -errno;
    if (op == EPOLL_CTL_DEL)
        forget(conn, epfd, fd);
    else if (!remember(conn, epfd, fd, event)) {
        libc.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
        return -ENOMEM;
    }
    result = hidden ? readiness_add_timer(epfd) : 0;
    if (result < 0 && op == EPOLL_CTL_ADD) { /* without deadlines the program might wait for ever */
        forget(conn, epfd, fd);
        libc.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
    }
    return op == EPOLL_CTL_ADD ? result : 0;
}

int readiness_control(struct conn *conn, int epfd, int op, int fd, const struct epoll_event *event)
{
    struct quiet quiet;
    int result;
    if (is_nowhere(event) && op != EPOLL_CTL_DEL)
        return -EFAULT;
    if (!steps_enter(conn, &quiet))
        return -ENOMEM;
    result = control_locked(conn, epfd, op, fd, event);
    steps_leave(conn, &quiet);
    return result;
}

void readiness_leave(struct conn *conn, int fd, int other)
{
    const struct pending *p = conn_is_pending(conn) ? conn->pending : NULL;
    for (int i = 0; i < conn->registration_count;) {
        struct registration *r = &conn->registrations[i];
        if (r->fd != fd) {
            i++;
            continue;
        }
        if (is_hidden(p, r->events)) {
            struct epoll_event ours = { .events = hidden_events(conn, r->events),
                                        .data.u64 = readiness_cookie(conn->index) };
            libc.epoll_ctl(r->epfd, EPOLL_CTL_DEL, fd, NULL);
            if (libc.epoll_ctl(r->epfd, EPOLL_CTL_ADD, other, &ours) == 0) {
                r->fd = other;
                i++;
                continue;
            }
        }
        *r = conn->registrations[--conn->registration_count];
    }
}

void readiness_forget(struct conn *conn)
{
    for (int i = 0; i < conn->registration_count; i++)
        libc.epoll_ctl(conn->registrations[i].epfd, EPOLL_CTL_DEL, conn->registrations[i].fd, NULL);
    conn->registration_count = 0;
}
