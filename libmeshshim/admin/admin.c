/* The thread: its start, its loop, its end. See admin.h. */
#include "admin/admin.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/client.h"
#include "admin/listener.h"
#include "admin/respond.h"
#include "admin/table.h"
#include "admin/watch.h"
#include "base/banned.h"
#include "base/thread.h"
#include "base/clock.h"
#include "base/libc.h"
#include "base/log.h"

#define CLIENTS     8
#define STOP_MS     200
#define BREATHER_MS 500 /* after an accept that failed for want of descriptors or memory */

static struct {
    struct admin_source source;
    char directory[512];
    char socket_path[128];
    _Atomic int owner; /* the process whose thread it is; 0: none */
    _Atomic bool stopping;
    _Atomic bool busy; /* in a callback */
    sem_t ready;       /* the thread has its socket, or knows why not */
    _Atomic int socket_error;
    bool own_table; /* the thread's descriptors are its own: their numbers mean nothing elsewhere */
    int listener;
    int64_t accept_after;
    int64_t watch_at;       /* when watching begins; 0: it has, or never will */
    struct timespec loaded; /* by the files' clock */
    struct watch watch;
    struct client clients[CLIENTS];
} admin = { .listener = -1, .watch = { .fd = -1 } };

/* With a descriptor table of its own, nothing that the thread opens can be seen or closed by the program. */
static int keep(int fd)
{
    return fd >= 0 && !admin.own_table && admin.source.keep_fd ? admin.source.keep_fd(fd) : fd;
}

static void drop(int *fd)
{
    if (*fd < 0)
        return;
    if (admin.source.drop_fd && !admin.own_table)
        admin.source.drop_fd(*fd);
    else
        libc.close(*fd);
    *fd = -1;
}

/* Callbacks reach into the rest of the library, which must not be taken down meanwhile: see admin_stop. */
static bool enter(void)
{
    atomic_store(&admin.busy, true);
    if (!atomic_load(&admin.stopping))
        return true;
    atomic_store(&admin.busy, false);
    return false;
}

static void leave(void)
{
    atomic_store(&admin.busy, false);
}

/* Around what may have something to say. */
static void borrow_stderr(void)
{
    if (admin.own_table)
        table_borrow_stderr();
}

static void return_stderr(void)
{
    if (admin.own_table)
        table_return_stderr();
}

static void end_client(struct client *client)
{
    client_end(client);
    drop(&client->fd);
}

static struct client *free_client(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (admin.clients[i].state == CLIENT_FREE)
            return &admin.clients[i];
    }
    return NULL;
}

static void accept_one(int64_t now)
{
    struct client *client = free_client();
    int fd = client ? libc.accept4(admin.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
    if (fd < 0) {
        if (client && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            admin.accept_after = now + BREATHER_MS;
        return;
    }
    fd = keep(fd);
    if (listener_admits(fd))
        client_begin(client, fd, now);
    else
        drop(&fd);
}

static void answer(struct client *client, int64_t now)
{
    if (client->status != 200) {
        respond_error(client->status, client->why, &client->out);
    } else if (enter()) {
        bool change = client->request.method == METHOD_POST;
        if (change)
            borrow_stderr();
        respond(&admin.source, &client->request, &client->out);
        if (change && admin.watch.fd >= 0)
            watch_files(&admin.watch, admin.source.watch); /* a reload may have changed the list */
        if (change)
            return_stderr();
        leave();
    }
    client_answer(client, now);
}

/* What follows at once is done at once: most requests are read, answered and written in one turn. */
static void serve_client(struct client *client, short events, int64_t now)
{
    bool good = now < client->deadline_ms;
    if (good && events) {
        good = client_step(client, now);
        if (good && client->state == CLIENT_READY) {
            answer(client, now);
            good = client_step(client, clock_ms());
        }
    }
    if (!good)
        end_client(client);
}

static void reload(void)
{
    struct buf message = BUF_INIT;
    watch_reported(&admin.watch);
    if (!enter())
        return;
    borrow_stderr();
    /* Watched anew before, for a link may lead elsewhere by now, and what changes from here on must be noticed; and
     * after, for there may be other files. */
    watch_files(&admin.watch, admin.source.watch);
    (void)respond_reload(&admin.source, &message);
    watch_files(&admin.watch, admin.source.watch);
    return_stderr();
    leave();
    buf_free(&message);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* In ms, for poll; -1 as long as nothing is going on. */
static int time_left(int64_t now)
{
    int64_t due = watch_due(&admin.watch);
    if (admin.accept_after)
        due = sooner(due, admin.accept_after);
    if (admin.watch_at)
        due = sooner(due, admin.watch_at);
    for (int i = 0; i < CLIENTS; i++) {
        if (admin.clients[i].state != CLIENT_FREE)
            due = sooner(due, admin.clients[i].deadline_ms);
    }
    if (due < 0)
        return -1;
    return due <= now ? 0 : (int)(due - now);
}

static void fill(struct pollfd fds[CLIENTS + 2])
{
    bool open = free_client() && !admin.accept_after;
    fds[0] = (struct pollfd){ .fd = open ? admin.listener : -1, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = admin.watch.fd, .events = POLLIN };
    for (int i = 0; i < CLIENTS; i++) {
        const struct client *client = &admin.clients[i];
        bool used = client->state != CLIENT_FREE;
        fds[i + 2] =
            (struct pollfd){ .fd = used ? client->fd : -1, .events = used ? client_events(client) : 0 };
    }
}

/* A program that closed our descriptor in spite of everything: the number is not ours any more, and polling
 * it would spin. */
static bool lost(struct pollfd *fd, int *ours)
{
    if (!(fd->revents & POLLNVAL))
        return false;
    log_info("a descriptor of the admin thread was closed by the program");
    *ours = -1;
    fd->revents = 0;
    return true;
}

static void watch_when_due(int64_t now);

static void turn(void)
{
    struct pollfd fds[CLIENTS + 2];
    int64_t now = clock_ms();

    fill(fds);
    if (libc.poll(fds, CLIENTS + 2, time_left(now)) < 0)
        return;
    now = clock_ms();
    if (admin.accept_after && now >= admin.accept_after)
        admin.accept_after = 0;
    watch_when_due(now);
    for (int i = 0; i < CLIENTS; i++) {
        if (lost(&fds[i + 2], &admin.clients[i].fd))
            client_end(&admin.clients[i]);
        else if (admin.clients[i].state != CLIENT_FREE)
            serve_client(&admin.clients[i], fds[i + 2].revents, now);
    }
    if (!lost(&fds[1], &admin.watch.fd) && fds[1].revents)
        watch_read(&admin.watch, now);
    if (watch_due(&admin.watch) >= 0 && watch_due(&admin.watch) <= now)
        reload();
    if (!lost(&fds[0], &admin.listener) && fds[0].revents && !atomic_load(&admin.stopping))
        accept_one(now);
}

static void close_all(void)
{
    drop(&admin.listener);
    drop(&admin.watch.fd);
    for (int i = 0; i < CLIENTS; i++) {
        if (admin.clients[i].state != CLIENT_FREE)
            drop(&admin.clients[i].fd);
        admin.clients[i].state = CLIENT_FREE;
    }
}

static void start_watching(void)
{
    if (!admin.source.watch || !admin.source.reload)
        return;
    admin.watch.fd = keep(watch_open());
    if (admin.watch.fd < 0) {
        log_info("changes of the configuration will not be noticed: %s; ask for a reload with meshctl reload",
                 strerror(errno));
        return;
    }
    if (enter()) {
        watch_files(&admin.watch, admin.source.watch);
        leave();
    }
}

static void say_no_socket(int error)
{
    static _Atomic bool said;
    if (atomic_exchange(&said, true))
        return;
    if (error == EADDRINUSE)
        log_warn(
            "no admin socket: %s/%d.sock is another living process's; give containers a runtime_dir each",
            admin.directory, (int)getpid());
    else if (error == ENAMETOOLONG)
        log_warn("no admin socket: the path %s is too long for one; choose a shorter runtime_dir",
                 admin.directory);
    else
        log_warn("no admin socket in %s: %s; meshctl will not find this process", admin.directory,
                 strerror(error));
}

static int open_socket(void)
{
    int fd, error = listener_open(admin.directory, admin.socket_path, sizeof admin.socket_path, &fd);
    if (error) {
        say_no_socket(error);
        return error;
    }
    admin.listener = keep(fd);
    return 0;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/* The file, or anything in its directory: a link may lead elsewhere, and a reload too many does no harm. */
static void look_changed(const char *path, void *changed)
{
    const char *end = strrchr(path, '/');
    char directory[PATH_MAX];
    struct stat file, around;
    snprintf(directory, sizeof directory, "%.*s", end ? (int)(end - path) : 1, end ? path : ".");
    if ((stat(path, &file) == 0 && is_later(&file.st_ctim, &admin.loaded)) ||
        (stat(directory, &around) == 0 && is_later(&around.st_mtim, &admin.loaded)))
        *(bool *)changed = true;
}

/* The end of an inotify descriptor takes the kernel some 20 ms: a short-lived program must not pay for it. */
static void watch_when_due(int64_t now)
{
    bool changed = false;
    if (!admin.watch_at || now < admin.watch_at)
        return;
    admin.watch_at = 0;
    start_watching();
    if (admin.watch.fd < 0 || !enter())
        return;
    admin.source.watch(look_changed, &changed);
    leave();
    if (changed)
        reload();
}

static void *run(void *unused)
{
    pthread_setname_np(pthread_self(), "meshshim");
    admin.own_table = table_leave();
    borrow_stderr();
    if (admin.directory[0] && !atomic_load(&admin.stopping))
        admin.socket_error = open_socket();
    return_stderr();
    leave();
    sem_post(&admin.ready);
    if (admin.listener >= 0)
        listener_sweep(admin.directory);
    watch_when_due(clock_ms());
    while (!atomic_load(&admin.stopping) && (admin.listener >= 0 || admin.watch.fd >= 0 || admin.watch_at))
        turn();
    for (int i = 0; i < CLIENTS; i++)
        buf_free(&admin.clients[i].out);
    close_all();
    /* With nothing to do it ends at once, and is not started again for every connection. */
    if (atomic_load(&admin.stopping))
        atomic_store(&admin.owner, 0);
    return unused;
}

/* Whoever has seen the first connection may look for the socket. A machine under load is not waited for. */
static void wait_until_ready(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += STOP_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    while (sem_clockwait(&admin.ready, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
        continue;
}

static int start(const struct admin_source *source)
{
    const char *directory = source->runtime_dir ? source->runtime_dir : "";
    int error, thread_error;

    admin.source = *source;
    admin.source.runtime_dir = admin.directory;
    admin.accept_after = 0;
    admin.loaded = source->loaded;
    if (admin.loaded.tv_sec == 0)
        clock_gettime(CLOCK_REALTIME, &admin.loaded);
    admin.watch_at = source->watch && source->reload ? clock_ms() + source->watch_after_ms : 0;
    watch_reported(&admin.watch);
    admin.watch.count = 0;
    snprintf(admin.directory, sizeof admin.directory, "%s", directory);
    error = strlen(directory) < sizeof admin.directory ? 0 : ENAMETOOLONG;
    if (error) {
        say_no_socket(error);
        admin.directory[0] = '\0';
    }
    atomic_store(&admin.stopping, false);
    atomic_store(&admin.busy, true); /* until the socket is there: admin_stop must find it */
    admin.socket_error = 0;
    sem_init(&admin.ready, 0, 0);
    thread_error = thread_start(run);
    if (!thread_error) {
        wait_until_ready();
        return error ? error : admin.socket_error;
    }
    atomic_store(&admin.busy, false);
    log_warn("no admin thread: %s; meshctl will not find this process", strerror(thread_error));
    return thread_error;
}

int admin_start(const struct admin_source *source)
{
    int none = 0, self = (int)getpid(), saved = errno, error, cancel;
    int owner = atomic_load(&admin.owner);

    if (owner == self)
        return 0;
    if (owner != 0)
        admin_after_fork(); /* by a system call of its own, which nobody told us of */
    if (!atomic_compare_exchange_strong(&admin.owner, &none, self))
        return 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    error = start(source);
    pthread_setcancelstate(cancel, NULL);
    errno = saved;
    return error;
}

void admin_after_fork(void)
{
    if (atomic_load(&admin.owner) == 0)
        return;
    if (!admin.own_table)
        close_all();
    admin.listener = admin.watch.fd = -1;
    for (int i = 0; i < CLIENTS; i++) {
        admin.clients[i].state = CLIENT_FREE;
        admin.clients[i].out =
            (struct buf)BUF_INIT; /* the thread may have been in the middle of growing it */
    }
    admin.socket_path[0] = '\0';
    atomic_store(&admin.busy, false);
    atomic_store(&admin.stopping, false);
    atomic_store(&admin.owner, 0);
}

void admin_stop(void)
{
    const struct timespec pause = { 0, 1000000 };
    int saved = errno;

    if (atomic_load(&admin.owner) != (int)getpid())
        return;
    atomic_store(&admin.stopping, true);
    if (admin.socket_path[0]) {
        listener_knock(admin.socket_path); /* wakes the thread */
        unlink(admin.socket_path);
    }
    for (int i = 0; i < STOP_MS && atomic_load(&admin.owner) != 0; i++) {
        if (!admin.socket_path[0] && !atomic_load(&admin.busy))
            break; /* it sleeps, and does nothing from here on */
        nanosleep(&pause, NULL);
    }
    admin.socket_path[0] = '\0';
    errno = saved;
}
