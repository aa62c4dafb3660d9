/*
 * A cursor over a program's iovecs, so that every read and write variant is one operation.
 * The cursor borrows the array. Advancing it never changes the program's own iovecs.
 */
#ifndef MESHSHIM_IOV_H
#define MESHSHIM_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

struct iov {
    const struct iovec *at; /* current element */
    size_t offset;          /* bytes of it already used */
    size_t left;            /* bytes from here to the end of all elements */
};

static inline struct iov iov_of(const struct iovec *v, size_t count)
{
    struct iov cursor = { v, 0, 0 };
    for (size_t i = 0; i < count; i++)
        cursor.left += v[i].iov_len;
    return cursor;
}

/* The next contiguous span, of at most `most` bytes; its length is 0 only where nothing is left. */
static inline struct iovec iov_span(const struct iov *cursor, size_t most)
{
    struct iov c = *cursor;
    struct iovec span = { NULL, 0 };
    if (c.left == 0 || most == 0)
        return span;
    while (c.offset == c.at->iov_len) {
        c.at++;
        c.offset = 0;
    }
    span.iov_base = (char *)c.at->iov_base + c.offset;
    span.iov_len = c.at->iov_len - c.offset;
    if (span.iov_len > most)
        span.iov_len = most;
    return span;
}

/* Moves on by n bytes; n must not exceed cursor->left. */
static inline void iov_advance(struct iov *cursor, size_t n)
{
    cursor->left -= n;
    while (n > 0) {
        size_t here = cursor->at->iov_len - cursor->offset;
        if (n < here) {
            cursor->offset += n;
            return;
        }
        n -= here;
        cursor->at++;
        cursor->offset = 0;
    }
}

/* Copies up to n bytes into what the cursor points at and moves on; returns how many were copied. */
static inline size_t iov_fill(struct iov *cursor, const void *from, size_t n)
{
    size_t done = 0;
    while (done < n && cursor->left > 0) {
        struct iovec span = iov_span(cursor, n - done);
        memcpy(span.iov_base, (const char *)from + done, span.iov_len);
        iov_advance(cursor, span.iov_len);
        done += span.iov_len;
    }
    return done;
}

/* The other way: copies up to n bytes out of it and moves on; returns how many were copied. */
static inline size_t iov_take(struct iov *cursor, void *to, size_t n)
{
    size_t done = 0;
    if (n > cursor->left) /* the elements may go on behind it */
        n = cursor->left;
    while (done < n) {
        struct iovec span = iov_span(cursor, n - done);
        memcpy((char *)to + done, span.iov_base, span.iov_len);
        iov_advance(cursor, span.iov_len);
        done += span.iov_len;
    }
    return done;
}

#endif
