/* A request to a process's Unix socket: HTTP/1.1, one request a connection, with a deadline. */
#ifndef MESHCTL_CLIENT_H
#define MESHCTL_CLIENT_H

#include <stdbool.h>

#include "base/buf.h"

enum client_result {
    CLIENT_OK,    /* an answer came; its status may still be an error's */
    CLIENT_STALE, /* nobody listens: the process has gone */
    CLIENT_FAILED /* said in `why` */
};

struct reply {
    int status; /* 200 */
    struct buf body;
};

/* `reply` is initialised here; the caller frees reply->body in any case. */
enum client_result client_request(const char *socket, const char *method, const char *path,
                                  struct reply *reply, struct buf *why);

#endif
