/* What the files of the sending half share: turn.c (the lock and the real calls), send.c (the program's bytes), sendfile.c, farewell.c (records that carry no data of a
 * write: alerts, key updates, what was kept from before the handshake), kernel_send.c. The sending lock is held throughout. */
#ifndef MESHSHIM_SEND_PARTS_H
#define MESHSHIM_SEND_PARTS_H

#include "base/forked.h"
#include "conn/stream/stream.h"
#include "tls/record.h"

enum { FULL_RECORD = RECORD_PLAINTEXT + RECORD_OVERHEAD };

/* Where a write stands. */
struct writing {
    struct conn *conn;
    struct sending *tx;
    int fd, flags;
    uint8_t *cipher; /* scratch */
    size_t records;  /* full ones for which it has room */
    size_t done;     /* plaintext bytes to report */
    bool sleeping;   /* in a real call that may wait */
    bool announces;  /* the next byte that goes out is to be announced: zerocopy.c */
    size_t plain;    /* of the batch that is being sent */
    size_t total;    /* the same, as ciphertext */
    uint64_t seq;    /* of its first record */
    uint64_t sealed; /* how many records it has */
    struct forked_state before;
    struct forked_call call;
    bool entered; /* the lock was taken */
    bool
        lost; /* this is a forked child by now, and the lock its parent's: nothing may be changed, and the call begins anew */
};

/* turn.c */
/*
 * Takes the lock, for a call of the program, and no fork is let in: 0, or minus an errno (-ERESTART: from the beginning). What follows must be left
 * by writing_leave, with what the program is told.
 */
int writing_enter(struct writing *w, const struct shared *shared, int flags);
void writing_leave(struct writing *w, ssize_t put, bool more);
/*
 * Around a real call that sends `data`, and may wait without MSG_DONTWAIT. False, or -ERESTART: it is not ours to make. Of what has come back it
 * gives the count, or minus the errno.
 */
bool writing_calls(struct writing *w, const void *data, int flags);
ssize_t writing_called(struct writing *w, ssize_t put);
/* Both, and what is between them; writing_send announces it where that is asked for. */
ssize_t writing_put(struct writing *w, const void *data, size_t n, int flags);
ssize_t writing_send(struct writing *w, const void *data, size_t n, int flags);
/* From here on no fork is let in, and none has been since the lock was taken. */
bool writing_owns(struct writing *w);
/* The lock is our parent's. What the program is told of a call that has given `put`. */
ssize_t writing_lose(struct writing *w, ssize_t put);

/* send.c */
bool writing_aead(struct conn *conn);
/* What the kernel did not take of a committed record; false when out of memory. */
bool writing_keep_residue(struct sending *tx, const uint8_t *rest, size_t n);
/* Sends it, and what is deferred behind it. 0 when all of it is out, or minus an errno. */
int writing_push_residue(struct writing *w, int flags);
/*
 * How many records to seal for one system call: as many as the scratch holds, but no more than the kernel is likely to take, for what
 * it does not take is sealed in vain.
 */
size_t writing_batch(const struct writing *w);
/* Seals up to a batch from `in` and sends it. What the kernel took, 0 where nothing was sealed (ENOBUFS), or minus an errno. */
ssize_t writing_send_batch(struct writing *w, struct iov *in);
/*
 * The kernel took `put` of a batch of full records that ends with a shorter one. 0, or minus an errno. NULL for a batch that was sealed
 * in place: then owed_byte is the caller's to set.
 */
int writing_commit(struct writing *w, size_t put, const struct iov *batch);
/* The same, where nobody is there to be told how much: the thread has left. */
void writing_abandoned(void *writing);
/* The lock's owner was killed in its sleep: what it was sending is accounted for. */
void writing_take_over(struct writing *w);
/* Bytes that the kernel has taken of what was sent on this socket, but for a constant; 0 where it does not tell (gVisor). */
uint64_t writing_taken(int fd);
/* The program comes back with the byte that was committed but not reported. 0, or minus an errno. */
int writing_settle_owed(struct writing *w, struct iov *in);
void writing_count(struct conn *conn, ssize_t put);
void writing_push_first(struct conn *conn, int fd);

/* zerocopy.c: as writing_put, and the program will be told of it. At least one byte. */
ssize_t writing_announce(struct writing *w, const uint8_t *data, size_t n, int flags);

/* deferred.c */
/* In a handler that has interrupted the lock's owner: how many bytes are kept, or -EAGAIN. */
ssize_t writing_defer(struct sending *tx, struct iov *in);
/* They become residue. */
bool writing_seal_deferred(struct writing *w);
/* The lock is free again: sends them, without waiting. */
void writing_flush_deferred(struct conn *conn, int fd);

/* farewell.c */
void writing_update_keys(struct writing *w);
/* The send buffer may grow by a record, for what nothing of the program follows. */
void writing_widen_buffer(int fd);

/* kernel_send.c: the same where the kernel seals the records */
/* What the family's memory says of the kernel is believed when the kernel says so: else plain text would go out. False: the connection is ended. */
bool writing_kernel_seals(struct writing *w);
/* As write_records, its end, and sendfile. */
ssize_t writing_to_kernel(struct writing *w, struct iov *in);
ssize_t writing_to_kernel_ended(struct writing *w);
ssize_t writing_file_to_kernel(struct writing *w, int in, off64_t offset, size_t count);
/* In a signal handler that has interrupted the lock's owner: the kernel takes it, in the order that it has on a plain socket. */
ssize_t writing_past_owner(struct conn *conn, int fd, struct iov *in, int flags);
/* A record without data. True when it is out, or the kernel has it. */
bool writing_message_to_kernel(struct writing *w, uint8_t type, const uint8_t *body, size_t n);
/* What was kept before the handshake was done, in one piece. False: not all of it. */
bool writing_early_to_kernel(struct writing *w, struct iov *in);
void writing_update_kernel(struct writing *w);
/* close_notify; nothing of what the kernel holds may be lost to the FIN that follows. False: there is no room for it. */
bool writing_finish_kernel(struct writing *w);

#endif
