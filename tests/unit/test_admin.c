/* The admin socket and its thread: every page over a real socket, who is let in, silent clients, stale sockets, reloads, fork. */
#include <CUnit/Basic.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/log.h"
#include "stats/stats.h"

static char top[64], dir[128], watched[2][256];

static bool wrong;
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "\n    %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                    \
            wrong = true;                                                                                    \
        }                                                                                                    \
    } while (0)

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

/* Each test has a process and a directory of its own. */
static void in_a_process(void (*test)(void))
{
    int status;
    pid_t pid;

    snprintf(top, sizeof top, "/tmp/meshshim-admin.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(top));
    snprintf(dir, sizeof dir, "%s/run", top);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(60);
        test();
        admin_stop();
        exit(wrong);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
#define TEST(name)                                                                                           \
    static void run_##name(void)                                                                             \
    {                                                                                                        \
        in_a_process(name);                                                                                  \
    }

/* The library's part. */
static _Atomic int reloads, kept, dropped;
static _Atomic bool reload_good = true;
static sem_t reload_seen; /* the thread has a descriptor table of its own: a pipe would not reach it */

static void config_json(struct buf *out)
{
    buf_puts(out, "{\"config\":true}");
}

static void identity_json(struct buf *out)
{
    for (int i = 0; i < 100000; i++)
        buf_puts(out, "0123456789\n");
}

static bool reload(struct buf *message)
{
    atomic_fetch_add(&reloads, 1);
    buf_puts(message, reload_good ? "2 services" : "mesh.ini:3: unknown key 'nmae'");
    sem_post(&reload_seen);
    return reload_good;
}

static void list_watched(void (*add)(const char *path, void *context), void *context)
{
    for (int i = 0; i < 2; i++) {
        if (watched[i][0])
            add(watched[i], context);
    }
}

static int keep_fd(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 500);
    atomic_fetch_add(&kept, 1);
    close(fd);
    return high;
}

static void drop_fd(int fd)
{
    CHECK(fd >= 500);
    atomic_fetch_add(&dropped, 1);
    close(fd);
}

static int begin(void)
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

static const char *socket_path(pid_t pid)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%d.sock", dir, (int)pid);
    return path;
}

static int dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static char reply[2000000];

/* Sends the text, reads to the end; the status, or -1. */
static int ask_at(int fd, const char *text, size_t length)
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

static int ask(const char *text)
{
    return ask_at(dial(socket_path(getpid())), text, strlen(text));
}

static const char *body(void)
{
    const char *end = strstr(reply, "\r\n\r\n");
    return end ? end + 4 : "";
}

#define GET(path) ask("GET " path " HTTP/1.1\r\nHost: mesh\r\n\r\n")

static void every_page(void)
{
    CHECK(stats_open(dir, "spiffe://mesh.local/ns/default/sa/web") == 0);
    stats_connection_opened(stats_series(STATS_INBOUND, "inbound:80", "", STATS_NONE));
    CHECK(begin() == 0);
    CHECK(begin() == 0);
    CHECK(GET("/") == 200 && strstr(body(), "\"/connections\""));
    CHECK(GET("/stats") == 200 && strncmp(body(), "{\"entries\":[{\"direction\":\"inbound\"", 34) == 0);
    CHECK(strstr(reply, "\r\nContent-Type: application/json\r\n") != NULL);
    CHECK(strstr(reply, "\r\nConnection: close\r\n") != NULL);
    CHECK(GET("/metrics") == 200 && strstr(body(), "\nistio_tcp_connections_opened_total{"));
    CHECK(strstr(reply, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != NULL);
    CHECK(GET("/config") == 200 && strcmp(body(), "{\"config\":true}\n") == 0);
    CHECK(GET("/identity") == 200 && strlen(body()) == 1100000);
    CHECK(GET("/healthz") == 200 && strncmp(body(), "{\"status\":\"ok\"", 14) == 0);
    CHECK(GET("/connections") == 404); /* no callback */
    CHECK(GET("/nothing") == 404 && strncmp(body(), "{\"error\":\"", 10) == 0);
    CHECK(ask("POST /reload HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc") == 200 && atomic_load(&reloads) == 1);
    CHECK(strcmp(body(), "{\"reloaded\":true,\"message\":\"2 services\"}\n") == 0);
    reload_good = false;
    CHECK(ask("POST /reload HTTP/1.1\r\n\r\n") == 422 && strstr(body(), "unknown key"));
}
TEST(every_page)

static void what_is_refused(void)
{
    static char long_head[9000];
    CHECK(begin() == 0);
    CHECK(GET("/reload") == 405 && strstr(reply, "\r\nAllow: POST\r\n"));
    CHECK(ask("POST /stats HTTP/1.1\r\n\r\n") == 405 && strstr(reply, "\r\nAllow: GET\r\n"));
    CHECK(ask("PUT /stats HTTP/1.1\r\n\r\n") == 405 && strstr(reply, "\r\nAllow: GET, POST\r\n"));
    CHECK(ask("rubbish\r\n\r\n") == 400);
    CHECK(ask("POST /reload HTTP/1.1\r\nContent-Length: 100000\r\n\r\n") == 413);
    memset(long_head, 'x', sizeof long_head);
    CHECK(ask_at(dial(socket_path(getpid())), long_head, sizeof long_head) == 431);
    CHECK(atomic_load(&reloads) == 0);
}
TEST(what_is_refused)

static void the_socket_is_private(void)
{
    mode_t before = umask(0);
    char path[256];
    struct stat st;
    int fd, status;
    pid_t pid;

    CHECK(begin() == 0);
    CHECK(lstat(socket_path(getpid()), &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0600);
    umask(before);
    if (geteuid() != 0)
        return;
    /* Even one whom the modes let through: it gets no answer, and the end. */
    CHECK(chmod(top, 0777) == 0 && chmod(dir, 0777) == 0 && chmod(socket_path(getpid()), 0777) == 0);
    snprintf(path, sizeof path, "%s", socket_path(getpid()));
    pid = fork();
    if (pid == 0) {
        char c;
        if (setgid(12345) < 0 || setuid(12345) < 0 || (fd = dial(path)) < 0)
            _exit(2);
        (void)!send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
        _exit(recv(fd, &c, 1, 0) > 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}
TEST(the_socket_is_private)

/* An odd umask takes our own rights from the name; they come back. */
static void under_any_umask(void)
{
    struct stat st;
    CHECK(mkdir(dir, 0700) == 0);
    umask(0777);
    CHECK(begin() == 0);
    umask(022);
    CHECK(lstat(socket_path(getpid()), &st) == 0 && (st.st_mode & 07777) == 0600);
}
TEST(under_any_umask)

static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    CHECK(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4) == 0);
    return fd;
}

static void a_stale_socket_is_replaced(void)
{
    char other[256];
    CHECK(mkdir(dir, 0700) == 0);
    close(listen_at(socket_path(getpid())));
    snprintf(other, sizeof other, "%s", socket_path(1));
    close(listen_at(other));
    CHECK(begin() == 0);
    CHECK(GET("/healthz") == 200);
    CHECK(access(other, F_OK) < 0); /* a killed process's is swept away before the first answer */
}
TEST(a_stale_socket_is_replaced)

static void a_live_socket_is_not(void)
{
    struct stat before, after;
    int fd, other;

    CHECK(mkdir(dir, 0700) == 0);
    fd = listen_at(socket_path(getpid()));
    CHECK(stat(socket_path(getpid()), &before) == 0);
    CHECK(begin() == EADDRINUSE);
    CHECK(stat(socket_path(getpid()), &after) == 0 && before.st_ino == after.st_ino);
    admin_stop();
    CHECK(stat(socket_path(getpid()), &after) == 0 && before.st_ino == after.st_ino);
    other = dial(socket_path(getpid()));
    CHECK(other >= 0);
    close(other);
    close(fd);
}
TEST(a_live_socket_is_not)

static void what_is_no_socket_stays(void)
{
    struct stat st;
    CHECK(mkdir(dir, 0700) == 0);
    CHECK(close(open(socket_path(getpid()), O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(begin() == EEXIST);
    CHECK(lstat(socket_path(getpid()), &st) == 0 && S_ISREG(st.st_mode));
}
TEST(what_is_no_socket_stays)

/* More silent clients than there are slots: the next one waits for their deadline, no longer. Clients a few at a time do not wait at all. */
static void silent_clients(void)
{
    struct timespec start, end;
    int silent[12], i;

    CHECK(begin() == 0);
    for (i = 0; i < 5; i++) {
        silent[i] = dial(socket_path(getpid()));
        CHECK(send(silent[i], "GET", (size_t)(i % 2 ? 3 : 0), MSG_NOSIGNAL) >= 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK(GET("/healthz") == 200);
    clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK(end.tv_sec - start.tv_sec <= 1);
    for (; i < 12; i++)
        silent[i] = dial(socket_path(getpid()));
    CHECK(GET("/healthz") == 200);
    clock_gettime(CLOCK_MONOTONIC, &end);
    CHECK(end.tv_sec - start.tv_sec <= 10);
    for (i = 0; i < 12; i++)
        close(silent[i]);
}
TEST(silent_clients)

/* Takes its request in single bytes and never reads an answer that is longer than the socket's buffer. */
static void slow_and_rude_clients(void)
{
    static const char text[] = "GET /healthz HTTP/1.1\r\nHost: mesh\r\n\r\n";
    int fd, rude = -1;

    CHECK(begin() == 0);
    rude = dial(socket_path(getpid()));
    CHECK(send(rude, "GET /identity HTTP/1.1\r\n\r\n", 26, MSG_NOSIGNAL) == 26);
    fd = dial(socket_path(getpid()));
    for (size_t i = 0; i + 1 < strlen(text); i++)
        CHECK(send(fd, text + i, 1, MSG_NOSIGNAL) == 1);
    CHECK(ask_at(fd, "\n", 1) == 200);
    for (int i = 0; i < 20; i++) { /* gone before they are answered */
        fd = dial(socket_path(getpid()));
        CHECK(send(fd, "GET /identity HTTP/1.1\r\n\r\n", 26, MSG_NOSIGNAL) == 26);
        close(fd);
    }
    CHECK(GET("/healthz") == 200);
    close(rude);
}
TEST(slow_and_rude_clients)

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) >= 0);
    close(fd);
}

static bool reloaded(int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return sem_timedwait(&reload_seen, &until) == 0;
}

/* The thread is ready to notice once it answers: it starts to watch before it serves. */
static void begin_watching(void)
{
    CHECK(begin() == 0);
    CHECK(GET("/healthz") == 200);
}

static void a_changed_file_is_noticed(void)
{
    char new[256];

    snprintf(watched[0], sizeof watched[0], "%s/mesh.ini", top);
    snprintf(watched[1], sizeof watched[1], "%s/missing/key.pem", top);
    put(watched[0], "one");
    begin_watching();
    put(watched[0], "two");
    CHECK(reloaded(10000));
    snprintf(new, sizeof new, "%s/.mesh.ini.tmp", top);
    put(new, "three");
    CHECK(!reloaded(500)); /* not one of ours */
    CHECK(rename(new, watched[0]) == 0);
    CHECK(reloaded(10000));
    for (int i = 0; i < 5; i++)
        put(watched[0], "four");
    CHECK(reloaded(10000));
    CHECK(!reloaded(500)); /* five writes in a row are one change */
}
TEST(a_changed_file_is_noticed)

/* Kubernetes: mesh.ini -> ..data/mesh.ini, ..data -> ..1, then ..data is renamed over. */
static void a_config_map_is_noticed(void)
{
    char path[300], data[300];

    for (int i = 1; i <= 3; i++) {
        snprintf(path, sizeof path, "%s/..%d", top, i);
        CHECK(mkdir(path, 0700) == 0);
        snprintf(path, sizeof path, "%s/..%d/mesh.ini", top, i);
        put(path, "x");
    }
    snprintf(data, sizeof data, "%s/..data", top);
    snprintf(path, sizeof path, "%s/..tmp", top);
    snprintf(watched[0], sizeof watched[0], "%s/mesh.ini", top);
    CHECK(symlink("..1", data) == 0 && symlink("..data/mesh.ini", watched[0]) == 0);
    begin_watching();
    CHECK(symlink("..2", path) == 0 && rename(path, data) == 0);
    CHECK(reloaded(10000));
    CHECK(symlink("..3", path) == 0 && rename(path, data) == 0);
    CHECK(reloaded(10000));
    snprintf(path, sizeof path, "%s/..3/mesh.ini", top);
    put(path, "y"); /* what the link leads to now */
    CHECK(reloaded(10000));
}
TEST(a_config_map_is_noticed)

/*
 * The sanitizers' allocators keep a lock over a fork that another thread held, which glibc's does not: a child
 * that allocates then hangs in them.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void a_child_starts_anew(void)
{
    int status, silent;
    pid_t pid, parent = getpid();

    if (SANITIZED)
        return;
    CHECK(begin() == 0);
    CHECK(GET("/healthz") == 200);
    silent = dial(socket_path(parent));
    CHECK(silent >= 0 && GET("/healthz") == 200);
    pid = fork();
    if (pid == 0) {
        admin_after_fork();
        CHECK(access(socket_path(parent), F_OK) == 0);
        admin_stop(); /* there is nothing to stop, and the parent's socket is the parent's */
        CHECK(access(socket_path(parent), F_OK) == 0);
        CHECK(begin() == 0);
        CHECK(GET("/healthz") == 200);
        admin_stop();
        CHECK(access(socket_path(getpid()), F_OK) < 0);
        _exit(wrong);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(GET("/healthz") == 200);
    close(silent);
    pid = fork();
    if (pid == 0) { /* nobody tells of a raw clone */
        CHECK(begin() == 0);
        CHECK(GET("/healthz") == 200);
        _exit(wrong);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(GET("/healthz") == 200);
}
TEST(a_child_starts_anew)

static void *ask_many(void *unused)
{
    for (int i = 0; i < 300; i++) {
        int fd = dial(socket_path(getpid()));
        (void)!send(fd, "GET /stats HTTP/1.1\r\n\r\n", 23, MSG_NOSIGNAL);
        close(fd);
    }
    return unused;
}

/* A fork at any moment of the thread's work: the child's own never waits for a lock of the parent's. */
static void forks_while_it_serves(void)
{
    pthread_t thread;

    if (SANITIZED)
        return;
    CHECK(stats_open(dir, "") == 0);
    CHECK(begin() == 0);
    CHECK(pthread_create(&thread, NULL, ask_many, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            alarm(20);
            admin_after_fork();
            stats_after_fork();
            CHECK(begin() == 0);
            CHECK(GET("/stats") == 200);
            admin_stop();
            _exit(wrong);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    CHECK(pthread_join(thread, NULL) == 0);
}
TEST(forks_while_it_serves)

static int threads_of_this_process(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    while (tasks && readdir(tasks))
        count++;
    if (tasks)
        closedir(tasks);
    return count - 2;
}

static void it_stops_and_starts_again(void)
{
    for (int i = 0; i < 3; i++) {
        CHECK(begin() == 0);
        CHECK(GET("/healthz") == 200);
        admin_stop();
        CHECK(access(socket_path(getpid()), F_OK) < 0);
        CHECK(dial(socket_path(getpid())) < 0);
    }
    CHECK(atomic_load(&kept) == atomic_load(&dropped));
}
TEST(it_stops_and_starts_again)

static _Atomic int signals;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
}

/* A signal for the process is the program's thread's, whatever the admin thread does. */
static void signals_are_the_programs(void)
{
    sigset_t mask, before;
    struct sigaction action = { .sa_handler = on_signal };

    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(begin() == 0);
    CHECK(threads_of_this_process() >= 2);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR1) == 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    CHECK(pthread_sigmask(SIG_BLOCK, &mask, &before) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(GET("/healthz") == 200);
    CHECK(atomic_load(&signals) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    CHECK(atomic_load(&signals) == 1);
}
TEST(signals_are_the_programs)

static bool ends(int fd)
{
    struct pollfd end = { .fd = fd, .events = POLLIN };
    return poll(&end, 1, 10000) == 1 && (end.revents & POLLHUP);
}

/* A pipe or a connection on a standard descriptor ends when the program closes it: the thread holds none of them. */
static void standard_descriptors_are_the_programs(void)
{
    int out[2];

    CHECK(pipe2(out, O_CLOEXEC) == 0);
    CHECK(dup2(out[1], STDIN_FILENO) == STDIN_FILENO && dup2(out[1], STDOUT_FILENO) == STDOUT_FILENO);
    CHECK(close(out[1]) == 0);
    CHECK(begin() == 0);
    CHECK(GET("/healthz") == 200);
    CHECK(close(STDIN_FILENO) == 0 && close(STDOUT_FILENO) == 0);
    CHECK(ends(out[0]));
}
TEST(standard_descriptors_are_the_programs)

/* What the thread has to say comes out where the program's standard error leads, and yet it does not hold that. */
static void the_log_goes_to_standard_error(void)
{
    int before = dup(STDERR_FILENO), err[2];
    char line[512] = "";
    bool silent;

    CHECK(pipe2(err, O_CLOEXEC | O_NONBLOCK) == 0 && dup2(err[1], STDERR_FILENO) == STDERR_FILENO);
    close(err[1]);
    log_init();
    reload_good = false;
    CHECK(begin() == 0);
    CHECK(ask("POST /reload HTTP/1.1\r\n\r\n") == 422);
    CHECK(read(err[0], line, sizeof line - 1) > 0 && strstr(line, "mesh.ini:3: unknown key"));
    close(STDERR_FILENO);
    silent = ends(err[0]);
    dup2(before, STDERR_FILENO);
    CHECK(silent);
    CHECK(strstr(line, "warn: the configuration is not reloaded"));
}
TEST(the_log_goes_to_standard_error)

/* Without a directory nothing listens, but files are watched still. */
static void without_a_directory(void)
{
    snprintf(dir, sizeof dir, "%s/not/there", top);
    snprintf(watched[0], sizeof watched[0], "%s/mesh.ini", top);
    put(watched[0], "one");
    CHECK(begin() == ENOENT);
    for (int i = 0; i < 50 && !reloaded(200); i++) /* until the thread has begun to watch */
        put(watched[0], i % 2 ? "two" : "three");
    CHECK(atomic_load(&reloads) > 0);
}
TEST(without_a_directory)

static void a_path_that_is_too_long(void)
{
    memset(dir + strlen(top) + 1, 'd', 60);
    dir[strlen(top) + 61] = '\0';
    CHECK(mkdir(dir, 0700) == 0);
    memcpy(dir + strlen(dir), "/..", 4);
    for (int i = 0; i < 10; i++)
        snprintf(dir + strlen(dir), sizeof dir - strlen(dir), "/.");
    CHECK(begin() == ENAMETOOLONG);
}
TEST(a_path_that_is_too_long)

/* The thread sanitizer takes a number for one descriptor, but the thread's table and ours have one each of that number. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:^probe$\nrace:^drop$\nrace:^dial$\nrace:^ask_at$\nrace:^accept_one$\nrace:^listener_sweep$"
           "\n";
}

int main(void)
{
    CU_pSuite suite;
    unsigned failures;

    CU_initialize_registry();
    suite = CU_add_suite("admin", NULL, NULL);
    CU_add_test(suite, "every page", run_every_page);
    CU_add_test(suite, "what is refused", run_what_is_refused);
    CU_add_test(suite, "the socket is private", run_the_socket_is_private);
    CU_add_test(suite, "under any umask", run_under_any_umask);
    CU_add_test(suite, "a stale socket is replaced", run_a_stale_socket_is_replaced);
    CU_add_test(suite, "a live socket is not", run_a_live_socket_is_not);
    CU_add_test(suite, "what is no socket stays", run_what_is_no_socket_stays);
    CU_add_test(suite, "silent clients", run_silent_clients);
    CU_add_test(suite, "slow and rude clients", run_slow_and_rude_clients);
    CU_add_test(suite, "a changed file is noticed", run_a_changed_file_is_noticed);
    CU_add_test(suite, "a ConfigMap is noticed", run_a_config_map_is_noticed);
    CU_add_test(suite, "a child starts anew", run_a_child_starts_anew);
    CU_add_test(suite, "forks while it serves", run_forks_while_it_serves);
    CU_add_test(suite, "it stops and starts again", run_it_stops_and_starts_again);
    CU_add_test(suite, "signals are the program's", run_signals_are_the_programs);
    CU_add_test(suite, "standard descriptors are the program's", run_standard_descriptors_are_the_programs);
    CU_add_test(suite, "the log goes to standard error", run_the_log_goes_to_standard_error);
    CU_add_test(suite, "without a directory", run_without_a_directory);
    CU_add_test(suite, "a path that is too long", run_a_path_that_is_too_long);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
