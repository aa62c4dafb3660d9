/* What the files of the sending half share: send.c (the program's bytes), sendfile.c, farewell.c (records that carry no data of a
 * write: alerts, key updates, what was kept from before the handshake). The sending lock is held throughout. */
#ifndef MESHSHIM_SEND_PARTS_H
#define MESHSHIM_SEND_PARTS_H

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
    size_t plain;    /* of the batch that is being sent */
    size_t total;    /* the same, as ciphertext */
    uint64_t seq;    /* of its first record */
};

/* send.c */
ssize_t writing_send(struct writing *w, const void *data, size_t n, int flags);
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
/* The kernel took `put` of a batch of full records that ends with a shorter one. 0, or minus an errno. */
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

/* deferred.c */
/* In a handler that has interrupted the lock's owner: how many bytes are kept, or -EAGAIN. */
ssize_t writing_defer(struct sending *tx, struct iov *in);
/* They become residue. */
bool writing_seal_deferred(struct writing *w);
/* The lock is free again: sends them, without waiting. */
void writing_flush_deferred(struct conn *conn, int fd);

/* farewell.c */
void writing_update_keys(struct writing *w);

#endif
