/* The admin socket: every page over a real socket, who is let in, silent clients, stale sockets. */
#include "admin_ask.h"

#include <poll.h>
#include <sys/stat.h>

#include "check.h"

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

static CU_TestInfo tests[] = {
    { "every page", run_every_page },
    { "what is refused", run_what_is_refused },
    { "the socket is private", run_the_socket_is_private },
    { "under any umask", run_under_any_umask },
    { "a stale socket is replaced", run_a_stale_socket_is_replaced },
    { "a live socket is not", run_a_live_socket_is_not },
    { "what is no socket stays", run_what_is_no_socket_stays },
    { "silent clients", run_silent_clients },
    { "slow and rude clients", run_slow_and_rude_clients },
    { "a path that is too long", run_a_path_that_is_too_long },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    own_process_end = admin_stop;
    return check_run("admin", tests);
}
