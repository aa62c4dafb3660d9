/* Where an HTTP/1 answer ends, and what it says. Fed with bytes as they come; pure. */
#ifndef MESHCTL_HTTP_ANSWER_H
#define MESHCTL_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_part { /* what comes next */
                 HTTP_STATUS,
                 HTTP_FIELD,
                 HTTP_BODY, /* `left` bytes */
                 HTTP_BODY_TO_END,
                 HTTP_CHUNK_SIZE,
                 HTTP_CHUNK, /* `left` bytes, then the end of a line */
                 HTTP_CHUNK_END,
                 HTTP_TRAILER,
                 HTTP_COMPLETE,
                 HTTP_WRONG, /* this is not HTTP/1 */
};

struct http_answer {
    enum http_part part;
    int status;  /* 200 */
    bool closes; /* no other answer will come on this connection */
    bool has_length, is_chunked;
    uint64_t left;
    size_t line_length;
    char line[256]; /* a longer one is known by its beginning */
};

/* An answer begins; what was known of the one before is forgotten. */
void http_answer_begin(struct http_answer *answer);
/* Takes bytes up to the end of the answer; how many that were. Then look at `part`. */
size_t http_answer_take(struct http_answer *answer, const char *bytes, size_t count);
/* The connection has ended: is this a whole answer? */
bool http_answer_is_whole(const struct http_answer *answer);

#endif
