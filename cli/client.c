/* See client.h. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#include "base/banned.h"

enum { DEADLINE_MS = 2000, ANSWER_MOST = 64 << 20 };

/* Waits until the socket is ready or the deadline has passed; false then. */
static bool wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd ready = { fd, events, 0 };
    for (;;) {
        int64_t left = deadline - clock_ms();
        int n = left > 0 ? poll(&ready, 1, (int)left) : 0;
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR) {
            errno = n == 0 ? ETIMEDOUT : errno;
            return false;
        }
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd, saved;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    saved = errno == EAGAIN ? ETIMEDOUT : errno; /* its queue of callers is full */
    close(fd);
    errno = saved;
    return -1;
}

static bool send_all(int fd, const char *text, size_t length, int64_t deadline)
{
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        } else if (errno == EAGAIN ? !wait_for(fd, POLLOUT, deadline) : errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* The length that the head announces, or -1 for "until the end". */
static long long content_length(const char *head)
{
    const char *field = strcasestr(head, "\r\ncontent-length:");
    char *end;
    long long n;
    if (!field)
        return -1;
    field += strlen("\r\ncontent-length:");
    n = strtoll(field, &end, 10);
    return end != field && n >= 0 ? n : -1;
}

/* Is the whole answer there: the head, and as much as it announced? */
static bool is_complete(const struct buf *answer)
{
    const char *end = answer->data ? strstr(answer->data, "\r\n\r\n") : NULL;
    long long length = end ? content_length(answer->data) : -1;
    return length >= 0 && answer->length - (size_t)(end + 4 - answer->data) >= (unsigned long long)length;
}

static bool receive_all(int fd, struct buf *answer, int64_t deadline)
{
    char chunk[16384];
    while (!is_complete(answer)) {
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n == 0)
            return true;
        if (n > 0) {
            buf_append(answer, chunk, (size_t)n);
            if (answer->failed || answer->length > ANSWER_MOST) {
                errno = EFBIG;
                return false;
            }
        } else if (errno == EAGAIN ? !wait_for(fd, POLLIN, deadline) : errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* "HTTP/1.1 200 OK", the fields, an empty line, the body. */
static bool split(const struct buf *answer, struct reply *reply)
{
    const char *end = answer->data ? strstr(answer->data, "\r\n\r\n") : NULL;
    long long announced;
    size_t length;

    if (!end || sscanf(answer->data, "HTTP/1.%*1[01] %3d", &reply->status) != 1)
        return false;
    if (strcasestr(answer->data, "\r\ntransfer-encoding:") &&
        strcasestr(answer->data, "\r\ntransfer-encoding:") < end)
        return false;
    end += 4;
    length = answer->length - (size_t)(end - answer->data);
    announced = content_length(answer->data);
    if (announced >= 0 && (unsigned long long)announced > length)
        return false;
    buf_append(&reply->body, end, announced >= 0 ? (size_t)announced : length);
    return !reply->body.failed;
}

static bool converse(int fd, const char *method, const char *path, struct reply *reply, struct buf *why)
{
    int64_t deadline = clock_ms() + DEADLINE_MS;
    struct buf answer = BUF_INIT;
    char request[512];
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.1\r\nHost: mesh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                          method, path);
    bool came = length < (int)sizeof request && send_all(fd, request, (size_t)length, deadline) &&
                receive_all(fd, &answer, deadline);
    bool good = came && split(&answer, reply);

    if (!came)
        buf_printf(why, "no answer (%s); is the process stopped, or overloaded", strerror(errno));
    else if (!good)
        buf_puts(why, "the answer is not HTTP/1.1, or it was cut short; is it a meshed process's socket");
    buf_free(&answer);
    return good;
}

enum client_result client_request(const char *socket, const char *method, const char *path,
                                  struct reply *reply, struct buf *why)
{
    int fd = connect_to(socket), error = errno;
    bool good;

    *reply = (struct reply){ 0, BUF_INIT };
    if (fd < 0) {
        buf_printf(why, "cannot reach %s (%s)", socket, strerror(error));
        if (error == EACCES || error == EPERM)
            buf_puts(why, "; run meshctl as the same user, or as root");
        return error == ECONNREFUSED || error == ENOENT ? CLIENT_STALE : CLIENT_FAILED;
    }
    buf_printf(why, "%s: ", socket);
    good = converse(fd, method, path, reply, why);
    close(fd);
    if (good)
        buf_free(why);
    return good ? CLIENT_OK : CLIENT_FAILED;
}
