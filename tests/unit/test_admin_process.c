/* The admin thread in a program: fork, signals, descriptors, beginning again. */
#include "admin_ask.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/log.h"
#include "check.h"

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

static CU_TestInfo tests[] = {
    { "a child starts anew", run_a_child_starts_anew },
    { "forks while it serves", run_forks_while_it_serves },
    { "it stops and starts again", run_it_stops_and_starts_again },
    { "signals are the program's", run_signals_are_the_programs },
    { "standard descriptors are the program's", run_standard_descriptors_are_the_programs },
    { "the log goes to standard error", run_the_log_goes_to_standard_error },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    own_process_end = admin_stop;
    return check_run("admin, process", tests);
}
