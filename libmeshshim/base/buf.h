/*
 * A growing byte string, always NUL-terminated. Zero-initialise with BUF_INIT; the owner calls buf_free.
 * Running out of memory sets `failed`, keeps what is there, and makes later calls do nothing.
 */
#ifndef MESHSHIM_BUF_H
#define MESHSHIM_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* never NULL after the first append */
    size_t length;
    size_t room;
    bool failed;
};

#define BUF_INIT                                                                                             \
    {                                                                                                        \
        NULL, 0, 0, false                                                                                    \
    }

void buf_append(struct buf *buf, const void *data, size_t length);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text so far: "" when nothing was appended. Borrowed from buf. */
const char *buf_text(const struct buf *buf);
void buf_free(struct buf *buf);

#endif
