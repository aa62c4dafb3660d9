/*
 * Reading and writing an established connection: the record layer over the real socket, by the one-byte rule.
 *
 * The kernel's own readiness stays true. Reading never takes more than fits, but for a record larger than the program's
 * buffer, whose last byte stays in the kernel while plaintext is kept. Writing commits a record whose beginning the kernel took,
 * and reports all but its last byte as sent until the rest is out.
 *
 * Everything returns a count, or minus an errno. `flags` are those of recv and send; without MSG_DONTWAIT the descriptor's own
 * mode decides whether to wait, and the kernel itself does the waiting, so that signals, SA_RESTART and time-outs are its own.
 */
#ifndef MESHSHIM_STREAM_H
#define MESHSHIM_STREAM_H

#include <errno.h>

#include "base/iov.h"
#include "conn/conn.h"
#include "policy/snapshot.h"

ssize_t stream_read(struct conn *conn, int fd, struct iov *out, int flags);
ssize_t stream_write(struct conn *conn, int fd, struct iov *in, int flags);
/* As sendfile(2): `in` must be seekable (EINVAL); a NULL offset means the file's own, which moves by what was sent. */
ssize_t stream_sendfile(struct conn *conn, int fd, int in, off64_t *offset, size_t count);
/* MSG_ZEROCOPY (zerocopy.c): SO_ZEROCOPY is on; and, in what was received from the error queue, the bytes were copied. */
bool stream_is_zerocopy(int fd);
void stream_say_copied(struct msghdr *msg);
/* Plaintext bytes that can be read now (FIONREAD). */
ssize_t stream_available(struct conn *conn, int fd);
/*
 * The kernel calls it readable. False where only the beginning of a record has come: that is taken then, so that the kernel calls it
 * readable again when there is more. For those who wait by poll and select, for programs take these at their word.
 */
bool stream_is_readable(struct conn *conn, int fd);
/*
 * Ends our direction: what is committed goes out, then close_notify. Never waits. False: the kernel has no room for it, and must be given
 * time before its FIN (goodbye.h).
 */
bool stream_finish(struct conn *conn, int fd);
/* Before the last close: takes records that carry no data out of the kernel, so that closing does not turn into a reset. */
void stream_drain_control(struct conn *conn, int fd);
/* Sends a fatal alert, if the sending side is free to. */
void stream_send_alert(struct conn *conn, int fd, uint8_t alert);
/* Answers a key update that the peer asked for, if the sending side is free to; else the next write does. */
void stream_answer_update(struct conn *conn, int fd);
/* What was kept before the handshake was done, at most one record: what the kernel does not take goes with the next write. */
void stream_send_early(struct conn *conn, int fd, const uint8_t *data, size_t n);
/*
 * Between the handshake and the first record: the kernel gets the keys, where `layer` wants it and it can. One direction may be the kernel's
 * and the other ours; it need not send.
 */
void stream_use_kernel(struct conn *conn, int fd, enum record_layer layer, bool sends);
/* An error that the kernel has put on a socket for a record that it does not take: the reader must hear of it, and the peer by an alert. */
static inline bool stream_is_of_records(int error)
{
    return error == EBADMSG || error == EMSGSIZE || error == EINVAL;
}
/* The program asks for the error that is on the socket, and has taken it; what it shall see instead. */
int stream_error_taken(struct conn *conn, int error);
/* Whose the records of an established connection are. */
enum stats_layer stream_layer(const struct conn *conn);
/* SHUT_RD: from here on the end of the stream is clean. */
void stream_end_reading(struct conn *conn);
/* SO_RCVLOWAT, of plaintext. 0, or minus an errno. */
int stream_set_low_water(struct conn *conn, int fd, int bytes);

#endif
