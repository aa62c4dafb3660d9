/* The head of an HTTP/1.1 request to the admin socket. Pure. */
#ifndef MESHSHIM_REQUEST_H
#define MESHSHIM_REQUEST_H

#include <stddef.h>

#define REQUEST_HEAD_MOST 8192
#define REQUEST_BODY_MOST 65536

enum request_method { METHOD_GET, METHOD_POST };

struct request {
    enum request_method method;
    char path[64]; /* without query */
    size_t head;   /* its length, empty line included */
    size_t body;   /* Content-Length */
};

/*
 * Looks at the `length` bytes received so far. 0: more are needed. 200: *request is filled. Else the status
 * to answer, and *why is a sentence without full stop (static).
 */
int request_parse(const char *data, size_t length, struct request *request, const char **why);

#endif
