/* Records that carry no data, and how a stream ends. See receive_parts.h. */
#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/log.h"
#include "base/process.h"
#include "conn/stream/receive_parts.h"
#include "tls/handshake.h"
#include "tls/ktls.h"

int reading_fail(struct reading *r, int error, int alert)
{
    r->rx->error = error;
    if (alert >= 0)
        stream_send_alert(r->conn, r->fd, (uint8_t)alert);
    libc.shutdown(r->fd, SHUT_RDWR);
    return -error;
}

int reading_fail_protocol(struct reading *r, int alert)
{
    log_warn("%.255s: cut off: what it sent is not a valid TLS record (%s)", conn_peer(r->conn),
             record_alert_name((uint8_t)alert));
    atomic_fetch_add_explicit(&r->conn->counters->failed[FAILURE_PROTOCOL], 1, memory_order_relaxed);
    return reading_fail(r, ECONNRESET, alert);
}

/* With these the kernel ends a connection that was made. It tells them once; then there is the end of file. */
static bool ends_connection(int error)
{
    return error == ECONNRESET || error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;
}

/*
 * After SHUT_RD there is but the end. A peer's goodbye that comes after SHUT_RDWR makes our kernel reset, which a plain connection would
 * not have done.
 */
ssize_t reading_failed(const struct reading *r, int error)
{
    if (error == ECONNRESET && r->rx->reset_told)
        return 0;
    if (ends_connection(error) && !r->rx->kernel)
        r->rx->found = error; /* this call may have bytes to give first, or be FIONREAD's */
    return -error;
}

void reading_told(struct reading *r, ssize_t result)
{
    if (r->rx->error || result >= 0 || !ends_connection((int)-result))
        return;
    r->rx->found = 0;
    r->rx->reset_told = true;
}

/* In the middle of a record? Where the kernel opens them, what has come of one stays with it. */
static bool is_torn(const struct reading *r)
{
    int queued = 0;
    if (!r->rx->kernel)
        return r->length > 0;
    return libc.ioctl(r->fd, FIONREAD, (long)&queued) == 0 && queued > 0;
}

/* The kernel's end of stream: clean only after close_notify. */
int reading_kernel_end(struct reading *r)
{
    struct receiving *rx = r->rx;
    if (rx->ended || rx->reset_told)
        return 0;
    if (rx->found) /* it was reset, and the program has yet to hear it */
        return -shared_error(&rx->found);
    if (r->conn->shared->tolerate_truncation && !is_torn(r)) {
        rx->ended = true;
        return 0;
    }
    log_warn("%.255s: the connection ended without close_notify: truncated, or its program died "
             "(tolerate_truncation = yes takes this as a clean end)",
             conn_peer(r->conn));
    rx->error = ECONNRESET;
    return -ECONNRESET;
}

/* The end must stay readable. It does when the peer's FIN is here; where TLS alone has ended, we end the kernel's side too. */
static void end_in_kernel(int fd)
{
    if (libc_poll_now(fd, POLLRDHUP) == 0)
        libc.shutdown(fd, SHUT_RD);
}

int reading_alert(struct reading *r, const uint8_t *body, size_t length)
{
    const char *advice;
    if (length != 2)
        return reading_fail_protocol(r, ALERT_DECODE_ERROR);
    if (body[1] == ALERT_CLOSE_NOTIFY) {
        r->rx->ended = true;
        end_in_kernel(r->fd);
        return 0;
    }
    if (body[1] == 90) /* user_canceled announces a close_notify */
        return 0;
    advice = handshake_alert_advice(body[1]);
    if (advice) {
        log_error("%.255s does not accept our certificate (alert %s): %s", conn_peer(r->conn),
                  record_alert_name(body[1]), advice);
        atomic_fetch_add_explicit(&r->conn->counters->failed[FAILURE_IDENTITY], 1, memory_order_relaxed);
        return reading_fail(r, EACCES, -1);
    }
    log_warn("%.255s ended the connection with the alert %s", conn_peer(r->conn), record_alert_name(body[1]));
    return reading_fail(r, ECONNRESET, -1);
}

enum { NEW_SESSION_TICKET = 4, KEY_UPDATE = 24 };
/* RFC 8446 §4.6.1: the longest there can be. */
enum { TICKET_MOST = 4 + 4 + (1 + 255) + (2 + 65535) + (2 + 65534) };

/* The four bytes before a message's content: 0, or the alert that they deserve. Only a server gives tickets. */
static int judge_head(const struct reading *r, uint8_t type, uint32_t size)
{
    switch (type) {
    case KEY_UPDATE:
        return size == 1 ? 0 : ALERT_DECODE_ERROR;
    case NEW_SESSION_TICKET:
        if (r->conn->shared->inbound)
            return ALERT_UNEXPECTED_MESSAGE;
        return size <= TICKET_MOST ? 0 : ALERT_DECODE_ERROR;
    default:
        return ALERT_UNEXPECTED_MESSAGE;
    }
}

/* The head, as far as it has come. */
static int take_head(struct reading *r, struct iov *at)
{
    struct receiving *rx = r->rx;
    uint8_t have = ARENA_ONCE(rx->message_have);
    int alert;

    if (have < 4)
        have += (uint8_t)iov_take(at, rx->message + have, 4U - have);
    rx->message_have = have;
    if (have < 4)
        return 0;
    rx->message_left = (uint32_t)rx->message[1] << 16 | (uint32_t)rx->message[2] << 8 | rx->message[3];
    alert = judge_head(r, rx->message[0], rx->message_left);
    return alert ? reading_fail_protocol(r, alert) : 0;
}

/* Behind its head. One that goes on in another record, which nobody's does, is not kept. */
static void keep_ticket(struct reading *r, struct iov at)
{
    struct receiving *rx = r->rx;
    uint32_t size = ARENA_ONCE(rx->message_left);
    struct tickets *tickets = arena_at(ARENA_ONCE(rx->tickets), sizeof *tickets);

    if (!tickets || rx->message[0] != NEW_SESSION_TICKET || size > at.left ||
        process_is_locked_in()) /* the table may not be touched without asking the kernel */
        return;
    at.left = size;
    if (tickets_keep(tickets, conn_peer(r->conn), at, (int64_t)time(NULL)) == 0)
        arena_drop(&rx->tickets, sizeof *tickets);
}

/* A ticket's content is dropped here. */
static void take_content(struct receiving *rx, struct iov *at)
{
    uint32_t left = ARENA_ONCE(rx->message_left);
    size_t n = left < at->left ? left : at->left;

    rx->message_left = left - (uint32_t)n;
    if (rx->message[0] == KEY_UPDATE && n > 0) {
        iov_take(at, rx->message + 4, 1);
        n--;
    }
    iov_advance(at, n);
}

static int follow_update(struct reading *r, uint8_t asked, bool last)
{
    if (asked > 1)
        return reading_fail_protocol(r, ALERT_ILLEGAL_PARAMETER);
    if (!last) /* RFC 8446 §5.1: no message may follow a key change in its record */
        return reading_fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
    if (asked == 1)
        atomic_store(&r->conn->shared->tx.update_due, true);
    if (!keys_update(&r->rx->keys) || (!r->rx->kernel && !reading_aead(r->conn)))
        return reading_fail(r, ENOMEM, ALERT_INTERNAL_ERROR);
    if (!r->rx->kernel || ktls_use(r->fd, TLS_RX, &r->rx->keys) == 0)
        return 0;
    log_warn("%s changes its keys, which this kernel's TLS cannot follow before Linux 6.14; the connection "
             "is ended "
             "(record_layer = user can)",
             conn_peer(r->conn));
    return reading_fail(r, ECONNRESET, ALERT_INTERNAL_ERROR);
}

int reading_handshake(struct reading *r, struct iov at, size_t length)
{
    struct receiving *rx = r->rx;
    int result = 0;

    at.left = length;
    while (at.left > 0 && result == 0) {
        if (rx->message_have < 4) {
            if ((result = take_head(r, &at)) != 0 || rx->message_have < 4)
                break;
            keep_ticket(r, at);
        }
        take_content(rx, &at);
        if (rx->message_left > 0)
            break;
        rx->message_have = 0;
        if (rx->message[0] == KEY_UPDATE)
            result = follow_update(r, rx->message[4], at.left == 0);
    }
    return result;
}
