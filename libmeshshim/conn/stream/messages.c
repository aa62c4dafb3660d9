/* Records that carry no data, and how a stream ends. See receive_parts.h. */
#include <errno.h>
#include <poll.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/log.h"
#include "conn/stream/receive_parts.h"
#include "tls/handshake.h"

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
    log_warn("%s: cut off: what it sent is not a valid TLS record (%s)", conn_peer(r->conn),
             record_alert_name((uint8_t)alert));
    atomic_fetch_add_explicit(&r->conn->counters->failed[FAILURE_PROTOCOL], 1, memory_order_relaxed);
    return reading_fail(r, ECONNRESET, alert);
}

/* The kernel's end of stream: clean only after close_notify. */
int reading_kernel_end(struct reading *r)
{
    struct receiving *rx = r->rx;
    if (rx->ended || rx->reset_told)
        return 0;
    if (r->conn->shared->tolerate_truncation && r->length == 0) {
        rx->ended = true;
        return 0;
    }
    log_warn("%s: the connection ended without close_notify: truncated, or its program died "
             "(tolerate_truncation = yes takes this as a clean end)",
             conn_peer(r->conn));
    rx->error = ECONNRESET;
    return -ECONNRESET;
}

/* The end must stay readable. It does when the peer's FIN is here; where TLS alone has ended, we end the kernel's side too. */
static void end_in_kernel(int fd)
{
    struct pollfd look = { fd, POLLRDHUP, 0 };
    if (libc.poll(&look, 1, 0) == 0)
        libc.shutdown(fd, SHUT_RD);
}

int reading_alert(struct reading *r, const uint8_t *body, size_t length)
{
    if (length != 2)
        return reading_fail_protocol(r, ALERT_DECODE_ERROR);
    if (body[1] == ALERT_CLOSE_NOTIFY) {
        r->rx->ended = true;
        end_in_kernel(r->fd);
        return 0;
    }
    if (body[1] == 90) /* user_canceled announces a close_notify */
        return 0;
    if (handshake_alert_refuses_us(body[1])) {
        log_error("%s does not accept our certificate (alert %s): check its allow list, its trust bundle and "
                  "our certificate's dates",
                  conn_peer(r->conn), record_alert_name(body[1]));
        atomic_fetch_add_explicit(&r->conn->counters->failed[FAILURE_IDENTITY], 1, memory_order_relaxed);
        return reading_fail(r, EACCES, -1);
    }
    log_warn("%s ended the connection with the alert %s", conn_peer(r->conn), record_alert_name(body[1]));
    return reading_fail(r, ECONNRESET, -1);
}

/* NewSessionTicket is dropped, KeyUpdate is followed; a message that is split over records is refused (nobody does). */
int reading_handshake(struct reading *r, const uint8_t *body, size_t length)
{
    enum { NEW_SESSION_TICKET = 4, KEY_UPDATE = 24 };
    while (length > 0) {
        size_t n;
        if (length < 4)
            return reading_fail_protocol(r, ALERT_DECODE_ERROR);
        n = 4 + ((size_t)body[1] << 16 | (size_t)body[2] << 8 | body[3]);
        if (n > length)
            return reading_fail_protocol(r, ALERT_DECODE_ERROR);
        if (body[0] == KEY_UPDATE) {
            if (n != 5 || body[4] > 1)
                return reading_fail_protocol(r, ALERT_DECODE_ERROR);
            if (n != length) /* RFC 8446 §5.1: no message may follow a key change in its record */
                return reading_fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
            if (body[4] == 1)
                atomic_store(&r->conn->shared->tx.update_due, true);
            if (!keys_update(&r->rx->keys) || !reading_aead(r->conn))
                return reading_fail(r, ENOMEM, ALERT_INTERNAL_ERROR);
        } else if (body[0] != NEW_SESSION_TICKET) {
            return reading_fail_protocol(r, ALERT_UNEXPECTED_MESSAGE);
        }
        body += n;
        length -= n;
    }
    return 0;
}
