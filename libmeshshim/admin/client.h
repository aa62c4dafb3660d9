/* One client of the admin socket: a request, an answer, a goodbye. Never blocks. */
#ifndef MESHSHIM_CLIENT_H
#define MESHSHIM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/admin.h"
#include "admin/request.h"

enum client_state {
    CLIENT_FREE,
    CLIENT_HEAD,   /* reading the request's head */
    CLIENT_BODY,   /* reading its body, which is thrown away */
    CLIENT_READY,  /* read: an answer is wanted; status says which */
    CLIENT_ANSWER, /* writing it */
    CLIENT_LINGER  /* written: closing now with bytes unread would take the answer back */
};

struct client {
    enum client_state state;
    int fd;
    int64_t deadline_ms;
    struct request request;
    int status; /* 200: request is good; else an error, with why */
    const char *why;
    size_t got, sent, body_left;
    struct buf out;
    char in[REQUEST_HEAD_MOST];
};

void client_begin(struct client *client, int fd, int64_t now_ms);
/* What to poll for. */
short client_events(const struct client *client);
/* Does what can be done now. False: it is over, client_end is due. */
bool client_step(struct client *client, int64_t now_ms);
/* In CLIENT_READY, once client->out is filled. */
void client_answer(struct client *client, int64_t now_ms);
/* Frees everything but the descriptor, which is the caller's to close. */
void client_end(struct client *client);

#endif
