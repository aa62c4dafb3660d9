/* What the files of the receiving half share: receive.c (records into the program's buffer), available.c, kept.c (plaintext that waits), begun.c (records that have not come whole),
 * messages.c (records that carry no data, and how a stream ends), kernel_receive.c (the same where the kernel opens the records). The receiving lock is held
 * throughout. */
#ifndef MESHSHIM_RECEIVE_PARTS_H
#define MESHSHIM_RECEIVE_PARTS_H

#include "base/forked.h"
#include "conn/stream/stream.h"
#include "tls/record.h"

/* Where a read stands. */
struct reading {
    struct conn *conn;
    struct receiving *rx;
    int fd, flags;
    uint8_t *cipher; /* scratch: ciphertext from its start */
    size_t length;   /* bytes of it */
    size_t done;     /* plaintext delivered */
    bool dry;        /* the kernel gave less than was asked */
    bool sleeping;   /* in a real call that may wait */
    uint8_t *sink;   /* where MSG_TRUNC's plaintext goes; arena */
    struct forked_state before;
    struct forked_call call;
    bool entered; /* the lock was taken */
    bool
        lost; /* this is a forked child by now, and the lock its parent's: nothing may be changed, and the call begins anew */
};

/* receive.c */
/* As writing_enter and writing_leave. */
int reading_enter(struct reading *r, const struct shared *shared);
void reading_leave(struct reading *r);
/* The thread leaves and does not come back; for undo_begin, before reading_enter. */
void reading_abandoned(void *reading);
ssize_t reading_recv(struct reading *r, void *to, size_t n, int flags);
bool reading_aead(struct conn *conn);
/* Whether the next real call may wait: only before anything was delivered, or when all is wanted. */
int reading_wait_flags(const struct reading *r);
/* A record without data was opened to `at`: 0, or minus the errno with which the stream has ended. */
int reading_control(struct reading *r, const struct record *record, struct iov at);
/* Reads up to `target` bytes of ciphertext in all. 1 for progress, 0 for the end, or minus an errno. */
int reading_fetch(struct reading *r, size_t target, int flags);
/* Opens the record of `total` bytes at r->cipher + at into `out`; where `keep`, what does not go there is kept (`out` may be NULL). */
int reading_open(struct reading *r, size_t at, size_t total, struct iov *out, bool keep);
/* What has come of a record goes to the scratch's start, and back from `at`. */
void reading_load_carry(struct reading *r);
int reading_save_carry(struct reading *r, size_t at);

/* kept.c */
/* Plaintext that waits, as far as what stands in shared memory can be true. */
struct kept {
    uint8_t *piece;
    uint32_t at, length, room;
};
struct kept reading_kept(const struct receiving *rx);
/* Room for `more` bytes behind what is kept; NULL when out of memory. */
uint8_t *reading_make_room(struct receiving *rx, size_t more);
void reading_set_low_water(int fd, const struct receiving *rx);
/* How many bytes of an opened record are still in the kernel: no more than there is room for before the scratch. */
size_t reading_held(const struct receiving *rx);
/* While any are, nothing has begun to come behind them: r->length and the carry are 0. */
void reading_set_held(struct reading *r, size_t held);
/* The bytes that marked kept plaintext leave the kernel with the last of it. */
void reading_release_held(struct reading *r);
/* Kept plaintext goes to the program. */
void reading_take_kept(struct reading *r, struct iov *out);
/*
 * A record larger than the program's room, which is `out` where there is any: 1 when it is open and what does not go there is kept, 0 for the
 * end, or minus an errno.
 */
int reading_keep_large(struct reading *r, size_t total, struct iov *out, int flags);
/* Keeps plaintext until `want` bytes are there or the kernel is dry. */
int reading_keep_until(struct reading *r, size_t want, int first_flags);
ssize_t reading_peek(struct reading *r, struct iov *out);

/* begun.c */
/*
 * The beginning of a record that has not come whole goes from the kernel to the carry, or, if the rest comes meanwhile, it is kept.
 * False where it was taken and there is nothing else.
 */
bool reading_take_begun(struct reading *r);

/* kernel_receive.c */
/* As read_records, peek and so on, of receive.c and kept.c. */
ssize_t reading_from_kernel(struct reading *r, struct iov *out);
ssize_t reading_peek_kernel(struct reading *r, struct iov *out);
/* Plaintext that is here, exactly where it is little. */
ssize_t reading_count_kernel(struct reading *r);
/* Is there more than the beginning of a record? If not, the kernel calls it readable again when more of it has come. */
bool reading_look_kernel(struct reading *r);
/* Records without data leave the kernel, up to the first that has some. */
void reading_drain_kernel(struct reading *r);
/* SO_RCVLOWAT, for those who wait for readiness. */
void reading_raise_low_water(int fd, struct receiving *rx);

/* messages.c; where nothing else is said, each returns 0, or minus the errno with which the stream has ended. */
int reading_fail(struct reading *r, int error, int alert);
int reading_fail_protocol(struct reading *r, int alert);
int reading_kernel_end(struct reading *r);
/* The kernel said `error` to a read: what that is to the program, 0 for the end of file. */
ssize_t reading_failed(const struct reading *r, int error);
/* The program gets `result`, a count or minus an errno: if that ends the connection, there is but the end of file from now on. */
void reading_told(struct reading *r, ssize_t result);
int reading_alert(struct reading *r, const uint8_t *body, size_t length);
/* `length` bytes of handshake messages at `at`: whole ones, or parts of one. */
int reading_handshake(struct reading *r, struct iov at, size_t length);

#endif
