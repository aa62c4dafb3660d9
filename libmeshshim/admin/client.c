/* See client.h. */
#include "admin/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/banned.h"
#include "base/libc.h"

#define PATIENCE_MS 2000 /* for a request, and again for taking the answer */
#define LINGER_MS   500

void client_begin(struct client *client, int fd, int64_t now_ms)
{
    memset(client, 0, offsetof(struct client, in));
    client->fd = fd;
    client->deadline_ms = now_ms + PATIENCE_MS;
    client->state = CLIENT_HEAD;
}

void client_end(struct client *client)
{
    buf_free(&client->out);
    client->state = CLIENT_FREE;
}

short client_events(const struct client *client)
{
    return client->state == CLIENT_ANSWER ? POLLOUT : POLLIN;
}

/* > 0 bytes, 0 for the end or an error, -1 for later. */
static ssize_t receive(struct client *client, char *to, size_t room)
{
    ssize_t n = libc.recv(client->fd, to, room, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    return n;
}

static void after_head(struct client *client)
{
    size_t extra = client->got - client->request.head;
    client->body_left = client->request.body > extra ? client->request.body - extra : 0;
    client->state = client->body_left ? CLIENT_BODY : CLIENT_READY;
}

static bool read_head(struct client *client)
{
    ssize_t n = receive(client, client->in + client->got, sizeof client->in - client->got);
    if (n <= 0)
        return n < 0;
    client->got += (size_t)n;
    client->status = request_parse(client->in, client->got, &client->request, &client->why);
    if (client->status == 200)
        after_head(client);
    else if (client->status != 0)
        client->state = CLIENT_READY;
    return true;
}

static bool read_body(struct client *client)
{
    ssize_t n = receive(client, client->in,
                        client->body_left < sizeof client->in ? client->body_left : sizeof client->in);
    if (n <= 0)
        return n < 0;
    client->body_left -= (size_t)n;
    if (client->body_left == 0)
        client->state = CLIENT_READY;
    return true;
}

void client_answer(struct client *client, int64_t now_ms)
{
    client->state = CLIENT_ANSWER;
    client->deadline_ms = now_ms + PATIENCE_MS;
}

static bool write_answer(struct client *client, int64_t now_ms)
{
    ssize_t n = libc.send(client->fd, client->out.data + client->sent, client->out.length - client->sent,
                          MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    client->sent += (size_t)n;
    if (client->sent < client->out.length) {
        client->deadline_ms = now_ms + PATIENCE_MS;
        return true;
    }
    libc.shutdown(client->fd, SHUT_WR);
    client->state = CLIENT_LINGER;
    client->deadline_ms = now_ms + LINGER_MS;
    return true;
}

bool client_step(struct client *client, int64_t now_ms)
{
    switch (client->state) {
    case CLIENT_HEAD:
        return read_head(client);
    case CLIENT_BODY:
        return read_body(client);
    case CLIENT_ANSWER:
        return !client->out.failed && write_answer(client, now_ms);
    case CLIENT_LINGER:
        return receive(client, client->in, sizeof client->in) != 0;
    case CLIENT_READY:
    case CLIENT_FREE:
        break;
    }
    return true;
}
