/* The admin thread in a process of its own, and a client that asks it. */
#ifndef MESHSHIM_TEST_ADMIN_ASK_H
#define MESHSHIM_TEST_ADMIN_ASK_H

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "admin/admin.h"
#include "own_process.h"
#include "stats/stats.h"

static char watched[2][256];

/* The library's part. */
static _Atomic int reloads, kept, dropped;
static _Atomic bool reload_good = true;
static sem_t reload_seen; /* the thread has a descriptor table of its own: a pipe would not reach it */

static inline void config_json(struct buf *out)
{
    buf_puts(out, "{\"config\":true}");
}

static inline void identity_json(struct buf *out)
{
    for (int i = 0; i < 100000; i++)
        buf_puts(out, "0123456789\n");
}

static inline bool reload(struct buf *message)
{
    atomic_fetch_add(&reloads, 1);
    buf_puts(message, reload_good ? "2 services" : "mesh.ini:3: unknown key 'nmae'");
    sem_post(&reload_seen);
    return reload_good;
}

static inline void list_watched(void (*add)(const char *path, void *context), void *context)
{
    for (int i = 0; i < 2; i++) {
        if (watched[i][0])
            add(watched[i], context);
    }
}

static inline int keep_fd(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 500);
    atomic_fetch_add(&kept, 1);
    close(fd);
    return high;
}

static inline void drop_fd(int fd)
{
    CHECK(fd >= 500);
    atomic_fetch_add(&dropped, 1);
    close(fd);
}

static inline int begin(void)
{
    const struct admin_source source = {
        .runtime_dir = dir,
        .config_json = config_json,
        .identity_json = identity_json,
        .reload = reload,
        .watch = list_watched,
        .keep_fd = keep_fd,
        .drop_fd = drop_fd,
    };
    CHECK(sem_init(&reload_seen, 0, 0) == 0);
    return admin_start(&source);
}

static inline const char *socket_path(pid_t pid)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%d.sock", dir, (int)pid);
    return path;
}

static inline int dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static char reply[2000000];

/* Sends the text, reads to the end; the status, or -1. */
static inline int ask_at(int fd, const char *text, size_t length)
{
    size_t got = 0;
    ssize_t n;
    int status = -1;
    (void)!send(fd, text, length, MSG_NOSIGNAL);
    while ((n = read(fd, reply + got, sizeof reply - 1 - got)) > 0)
        got += (size_t)n;
    reply[got] = '\0';
    close(fd);
    CHECK(n == 0);
    return sscanf(reply, "HTTP/1.1 %d ", &status) == 1 ? status : -1;
}

static inline int ask(const char *text)
{
    return ask_at(dial(socket_path(getpid())), text, strlen(text));
}

static inline const char *body(void)
{
    const char *end = strstr(reply, "\r\n\r\n");
    return end ? end + 4 : "";
}

#define GET(path) ask("GET " path " HTTP/1.1\r\nHost: mesh\r\n\r\n")

/* The thread sanitizer takes a number for one descriptor, but the thread's table and ours have one each of that number. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:^probe$\nrace:^drop$\nrace:^dial$\nrace:^ask_at$\nrace:^accept_one$\nrace:^listener_sweep$"
           "\n";
}

#endif
