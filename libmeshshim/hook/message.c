/* See message.h. */
#include "hook/message.h"

#include <netinet/tcp.h>
#include <string.h>

#include "base/banned.h"
#include "conn/handover/adopt.h"
#include "conn/handover/handover.h"
#include "conn/mesh.h"
#include "conn/stream/stream.h"
#include "hook/entry.h"
#include "hook/start.h"
#include "hook/stdio.h"

/* Calls `each` for every descriptor in the message; stops, and returns it, at a result that is not 0. */
static int each_descriptor(const struct msghdr *msg, int (*each)(int fd, int context), int context)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)msg, c)) {
        size_t n = c->cmsg_len >= CMSG_LEN(0) ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd, result;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            result = each(fd, context);
            if (result != 0)
                return result;
        }
    }
    return 0;
}

static int receive_one(int fd, int peeked)
{
    entry_new(fd);
    adopt_received(fd, peeked, start_service);
    if (fdtable_get(fd))
        stdio_follow(fd);
    return 0;
}

ssize_t message_received(ssize_t result, const struct msghdr *msg, int flags)
{
    int saved = errno;
    if (result >= 0 && mesh_state != MESH_OFF && !(flags & MSG_ERRQUEUE) && msg->msg_controllen) {
        each_descriptor(msg, receive_one, (flags & MSG_PEEK) != 0);
        errno = saved;
    }
    return result;
}

static int send_one(int fd, int channel)
{
    protected_conn(fd); /* another process may have connected it */
    return handover_send(channel, fd);
}

static int unsend_one(int fd, int channel)
{
    handover_unsend(channel, fd);
    return 0;
}

ssize_t message_send(int channel, const struct msghdr *msg, int flags)
{
    int refused = 0, saved;
    ssize_t result;
    if (!is_readable(msg->msg_control, msg->msg_controllen))
        return libc.sendmsg(channel, msg, flags);
    if (mesh_state != MESH_OFF)
        refused = each_descriptor(msg, send_one, channel);
    if (refused)
        return as_result(refused);
    result = libc.sendmsg(channel, msg, flags);
    if (result < 0 && mesh_state != MESH_OFF) {
        saved = errno;
        each_descriptor(msg, unsend_one, channel);
        errno = saved;
    }
    return result;
}

bool message_carries(const struct mmsghdr *vec, unsigned n)
{
    for (unsigned i = 0; mesh_state != MESH_OFF && !is_nowhere(vec) && i < n; i++)
        if (vec[i].msg_hdr.msg_controllen)
            return true;
    return false;
}

static bool wants_queued(int fd)
{
    int on = 0;
    socklen_t length = sizeof on;
    return libc.getsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, &length) == 0 && on;
}

void message_tell_queued(struct conn *conn, int fd, struct msghdr *msg)
{
    struct cmsghdr *c = msg->msg_control;
    size_t room = msg->msg_controllen;
    ssize_t queued;
    int bytes, saved = errno;
    msg->msg_controllen = 0;
    if (room && wants_queued(fd) && conn_state(conn) == CONN_OPEN) {
        queued = stream_available(conn, fd);
        bytes = queued > 0 ? (int)queued : conn->shared->rx.ended; /* the end counts as one */
        if (room < CMSG_LEN(sizeof bytes) || is_nowhere(c)) {
            msg->msg_flags |= MSG_CTRUNC;
        } else {
            *c = (struct cmsghdr){ CMSG_LEN(sizeof bytes), IPPROTO_TCP, TCP_CM_INQ };
            memcpy(CMSG_DATA(c), &bytes, sizeof bytes);
            msg->msg_controllen = room < CMSG_SPACE(sizeof bytes) ? room : CMSG_SPACE(sizeof bytes);
        }
    }
    errno = saved;
}
