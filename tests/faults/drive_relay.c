/* The relay between client and server: passes on what comes, and looks for the canary. */
#include "drive.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char canary[] = "canary-in-the-clear";
enum { TAIL = sizeof canary - 2 };

struct way {
    int from, to;
    char data[TAIL + 16384];
    size_t tail; /* what came before, for a canary that is cut in two */
};

static struct way ways[WAYS];

int loopback(int port, bool listens)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (listens ? bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 20) != 0
                : connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &length);
    return ntohs(address.sin_port);
}

void relay_begin(int listener, int port)
{
    int from = accept4(listener, NULL, NULL, SOCK_CLOEXEC), to = from < 0 ? -1 : loopback(port, false),
        on = 1;
    if (from >= 0)
        setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (int i = 0; to >= 0 && i < RELAYED; i++) {
        struct way *there = &ways[i * 2], *back = there + 1;
        if (there->from >= 0 || back->from >= 0)
            continue;
        *there = (struct way){ .from = from, .to = to };
        *back = (struct way){ .from = to, .to = from };
        return;
    }
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
}

/* An end is passed on as one, anything worse as a reset, which ends the other way, too. */
static void relay_end(struct way *way, bool clean)
{
    struct way *other = &ways[(way - ways) ^ 1];
    const struct linger none = { 1, 0 };
    way->from = -1;
    if (clean)
        shutdown(way->to, SHUT_WR);
    else
        other->from = -1;
    if (other->from >= 0)
        return;
    for (int i = 0; i < 2; i++) {
        int fd = i ? way->to : other->to;
        if (!clean)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
        close(fd);
    }
}

bool relay_pass(int number)
{
    struct way *way = &ways[number];
    ssize_t n = recv(way->from, way->data + way->tail, sizeof way->data - TAIL, 0);
    bool seen;
    if (n <= 0 || send(way->to, way->data + way->tail, (size_t)n, MSG_NOSIGNAL) != n) {
        relay_end(way, n == 0);
        return false;
    }
    seen = memmem(way->data, way->tail + (size_t)n, canary, sizeof canary - 1) != NULL;
    n += (ssize_t)way->tail;
    way->tail = n < TAIL ? (size_t)n : TAIL;
    memmove(way->data, way->data + n - way->tail, way->tail);
    return seen;
}

int relay_from(int way)
{
    return ways[way].from;
}

void relay_forget(void)
{
    for (int i = 0; i < WAYS; i++)
        ways[i].from = -1;
}
