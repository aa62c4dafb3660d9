/* Processes with little room: few or many descriptors, little memory, small stacks, small files, another root, another user. */
#include "trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void exchange(struct side *s, int fd)
{
    say_send(fd, s->client ? "question" : "answer", 0);
    say_recv(fd, s->client ? 6 : 8, MSG_WAITALL);
}

/* Another connection, from its first step. */
static void another(struct side *s)
{
    int fd;
    if (s->client) {
        fd = tcp_socket(0);
        say_connect(fd, &s->address);
    } else {
        fd = accept(s->listener, NULL, NULL);
        say("accept %s", fd >= 0 ? "a descriptor" : strerrorname_np(errno));
    }
    exchange(s, fd);
    meet(s);
    close(fd);
}

static void set_limit(int what, rlim_t soft)
{
    struct rlimit limit;
    if (getrlimit(what, &limit))
        fail("getrlimit");
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    if (setrlimit(what, &limit))
        fail("setrlimit");
}

/* ---- descriptors ---- */

static int open_until_full(int fds[], int room)
{
    int n = 0;
    while (n < room && (fds[n] = dup(0)) >= 0)
        n++;
    return n;
}

/* As many as the program may have, from before its first connection on: each number is the program's. */
static void few_descriptors(struct side *s, rlim_t soft)
{
    int fds[300], n;
    set_limit(RLIMIT_NOFILE, soft);
    another(s);
    another(s);
    n = open_until_full(fds, 300);
    say("%d more", n);
    said("socket", socket(AF_INET, SOCK_STREAM, 0));
    if (!s->client)
        said("accept", (nonblocking(s->listener, true), accept(s->listener, NULL, NULL)));
    nonblocking(s->client ? 0 : s->listener, false);
    meet(s);
    close(fds[n - 1]);
    another(s);
    say("the highest again %d", dup(0) == fds[n - 1]);
    for (int i = 0; i < n; i++)
        close(fds[i]);
    another(s);
}

void script_nofile_16(struct side *s)
{
    few_descriptors(s, 16);
}

void script_nofile_256(struct side *s)
{
    few_descriptors(s, 256);
}

/* No number is left for the one that is accepted. */
void script_nofile_accept(struct side *s)
{
    int fds[64], n;
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        meet(s);
        exchange(s, fd);
    } else {
        int fd;
        set_limit(RLIMIT_NOFILE, 20);
        n = open_until_full(fds, 64);
        await(s->listener, POLLIN);
        said("accept", accept(s->listener, NULL, NULL));
        close(fds[n - 1]);
        fd = accepted(s);
        meet(s);
        exchange(s, fd);
    }
    meet(s);
}

/* As many entries as the limit allows in one poll, one of them still connecting. */
void script_nofile_poll(struct side *s)
{
    enum { MOST = 16 };
    if (s->client) {
        struct pollfd p[MOST + 1];
        int fd = tcp_socket(SOCK_NONBLOCK);
        set_limit(RLIMIT_NOFILE, MOST);
        for (int i = 0; i <= MOST; i++)
            p[i] = (struct pollfd){ -1, 0, 0 };
        p[MOST - 1] = (struct pollfd){ fd, POLLOUT, 0 };
        say_connect(fd, &s->address);
        said("poll, one too many", poll(p, MOST + 1, SOON));
        said("poll", poll(p, MOST, SOON));
        say("OUT %d", p[MOST - 1].revents == POLLOUT);
        ask_one(s, fd);
    } else {
        serve_one(s);
    }
}

/* 100,000 descriptors, and connections above them. */
void script_many_descriptors(struct side *s)
{
    enum { MANY = 100000 };
    struct rlimit limit;
    struct pollfd *all;
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 7 };
    int fd, high, ep;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = MANY + 100;
    if (limit.rlim_max < limit.rlim_cur)
        limit.rlim_max = limit.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &limit)) {
        say("SKIPPED: no %d descriptors for this user", MANY);
        return;
    }
    all = calloc(MANY + 1, sizeof *all);
    for (int i = 0; i < MANY; i++)
        all[i] = (struct pollfd){ dup(0), POLLPRI, 0 };
    say("the last is open: %d", all[MANY - 1].fd >= MANY - 1);
    fd = connected(s);
    high = fcntl(fd, F_DUPFD_CLOEXEC, MANY + 50);
    say("above them: %d %d", fd > MANY, high == MANY + 50);
    close(fd);
    ep = epoll_create1(EPOLL_CLOEXEC);
    said("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, high, &event));
    all[MANY] = (struct pollfd){ high, POLLIN, 0 };
    said("poll", poll(all, MANY + 1, NOTHING));
    meet(s);
    exchange(s, high);
    meet(s);
    another(s);
    if (s->client) {
        /* One more that is connecting, among all of them. */
        int slow = tcp_socket(SOCK_NONBLOCK);
        say_connect(slow, &s->address);
        all[MANY] = (struct pollfd){ slow, POLLOUT, 0 };
        said("poll", poll(all, MANY + 1, SOON));
        ask_one(s, slow);
    } else {
        serve_one(s);
    }
    closefrom(64);
    said("closed", fcntl(high, F_GETFD));
    another(s);
    free(all);
}

/* ---- a process that closes everything, and goes on ---- */

static void by_loop(int first)
{
    for (int fd = first; fd < 2048; fd++)
        close(fd);
}

static void by_closefrom(int first)
{
    closefrom(first);
}

static void by_close_range(int first)
{
    if (close_range((unsigned)first, ~0u, 0))
        fail("close_range");
}

static void by_unshare(int first)
{
    if (close_range((unsigned)first, ~0u, CLOSE_RANGE_UNSHARE))
        fail("close_range");
}

/* As daemons do: what /proc lists. */
static void by_list(int first)
{
    DIR *list = opendir("/proc/self/fd");
    struct dirent *entry;
    while (list && (entry = readdir(list)) != NULL) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (fd >= first && fd != dirfd(list))
            close(fd);
    }
    closedir(list);
}

static void closes_everything(struct side *s, void (*close_all)(int first))
{
    int fd = connected(s), kept = s->listener;
    exchange(s, fd);
    meet(s);
    if (kept >= 0)
        kept = dup2(kept, s->control + 1);
    close_all(s->control + 1 + (kept >= 0));
    s->listener = kept;
    said("the connection is gone", fcntl(fd > 4 ? fd : 100, F_GETFD));
    meet(s);
    another(s);
    another(s);
    close_all(s->control + 1 + (kept >= 0));
    another(s);
}

void script_close_all_loop(struct side *s)
{
    closes_everything(s, by_loop);
}

void script_close_all_closefrom(struct side *s)
{
    closes_everything(s, by_closefrom);
}

void script_close_all_range(struct side *s)
{
    closes_everything(s, by_close_range);
}

void script_close_all_unshare(struct side *s)
{
    closes_everything(s, by_unshare);
}

void script_close_all_listed(struct side *s)
{
    closes_everything(s, by_list);
}

/* In a child, which then makes connections of its own; the parent's go on. */
void script_close_all_in_child(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        pid_t child = fork();
        int status;
        if (child == 0) {
            int own;
            closefrom(3);
            own = tcp_socket(0);
            connect(own, (struct sockaddr *)&s->address, sizeof s->address);
            say_send(own, "question", 0);
            say_recv(own, 6, MSG_WAITALL);
            _exit(0);
        }
        waitpid(child, &status, 0);
        say("the child ended with %d", status);
    } else {
        int own = accepted(s);
        exchange(s, own);
    }
    meet(s);
    exchange(s, fd);
    meet(s);
}

/* ---- memory, files, cores ---- */

static long mapped_kib(void)
{
    char line[200];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmSize:", 7) == 0)
            kib = strtol(line + 7, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

/* 64 MiB more than it has. */
void script_limited_memory(struct side *s)
{
    set_limit(RLIMIT_AS, ((rlim_t)mapped_kib() + 65536) * 1024);
    another(s);
    another(s);
}

/* Nothing more at all, once the connections are made: the old ones go on, new ones may fail, and nobody dies of it. */
void script_no_more_memory(struct side *s)
{
    int fd = connected(s), fresh;
    struct rlimit limit;
    exchange(s, fd);
    meet(s);
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = (rlim_t)mapped_kib() * 1024;
    setrlimit(RLIMIT_AS, &limit);
    exchange(s, fd);
    meet(s);
    fresh = socket(AF_INET, SOCK_STREAM, 0);
    if (s->client) {
        (void)!connect(fresh, (struct sockaddr *)&s->address, sizeof s->address);
        close(fresh);
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
    meet(s);
    exchange(s, fd);
    meet(s);
    disperse(s);
    another(s);
}

/* Not a byte into a file: whatever is written on the way must not end the program. */
void script_no_files(struct side *s)
{
    char back[8] = { 0 };
    int fd, result = 0;
    set_limit(RLIMIT_FSIZE, 0);
    if (s->client) {
        fd = tcp_socket(0);
        result = connect(fd, (struct sockaddr *)&s->address, sizeof s->address);
        if (send(fd, "question", 8, 0) != 8 || recv(fd, back, 6, MSG_WAITALL) != 6)
            result = -2;
    } else {
        fd = accepted(s);
        if (recv(fd, back, 8, MSG_WAITALL) != 8 || send(fd, "answer", 6, 0) != 6)
            result = -2;
    }
    set_limit(RLIMIT_FSIZE, RLIM_INFINITY);
    say("without files %d", result);
    meet(s);
    close(fd);
    another(s);
}

void script_no_cores(struct side *s)
{
    set_limit(RLIMIT_CORE, 0);
    another(s);
}

/* No thread can be made: the library's own neither. */
void script_no_threads(struct side *s)
{
    struct rlimit limit = { 0, 0 };
    if (geteuid() == 0 && (setgroups(0, NULL) || setgid(65533) || setuid(65533)))
        fail("setuid");
    if (setrlimit(RLIMIT_NPROC, &limit))
        fail("setrlimit");
    another(s);
    another(s);
}

/* ---- stacks ---- */

struct small {
    struct side *side;
    int result, fd;
    bool by_select;
};

static void *talk_on_small_stack(void *argument)
{
    struct small *small = argument;
    int fd =
        small->side->client ? socket(AF_INET, SOCK_STREAM, 0) : accept(small->side->listener, NULL, NULL);
    volatile char own[3000]; /* the program needs some of it as well */
    char byte = 'b';
    own[0] = own[sizeof own - 1] = byte;
    small->fd = fd;
    if (small->side->client) {
        if (small->by_select) {
            fd_set set;
            fcntl(fd, F_SETFL, O_NONBLOCK);
            connect(fd, (struct sockaddr *)&small->side->address, sizeof small->side->address);
            FD_ZERO(&set);
            FD_SET(fd, &set);
            if (select(fd + 1, NULL, &set, NULL, NULL) != 1)
                return NULL;
            fcntl(fd, F_SETFL, 0);
        } else if (connect(fd, (struct sockaddr *)&small->side->address, sizeof small->side->address)) {
            return NULL;
        }
        small->result = send(fd, &byte, 1, 0) == 1 && recv(fd, &byte, 1, 0) == 1;
    } else {
        small->result = recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, 0) == 1;
    }
    return NULL;
}

static void small_stack(struct side *s, bool by_select)
{
    struct small small = { s, -1, -1, by_select };
    pthread_attr_t attributes;
    pthread_t thread;
    int error;
    pthread_attr_init(&attributes);
    error = pthread_attr_setstacksize(&attributes, 16384);
    say("16 KiB %s", error ? strerrorname_np(error) : "are enough");
    if (pthread_create(&thread, &attributes, talk_on_small_stack, &small))
        fail("pthread_create");
    pthread_join(thread, NULL);
    say("talked %d", small.result);
    meet(s);
    close(small.fd);
}

void script_small_stack(struct side *s)
{
    small_stack(s, false);
    small_stack(s, false);
}

void script_small_stack_select(struct side *s)
{
    small_stack(s, true);
}

/* ---- another root, another user ---- */

/* What was needed is loaded by then: the connection goes on, and others can be made. */
void script_chroot_after_first(struct side *s)
{
    char empty[] = "/tmp/meshshim-trace-XXXXXX";
    int fd = connected(s);
    if (geteuid() != 0) {
        say("SKIPPED: only root may change its root");
        return;
    }
    exchange(s, fd);
    if (!mkdtemp(empty) || chdir(empty) || rmdir(empty) || chroot("."))
        fail("chroot");
    if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
        fail("setuid");
    say("nobody in an empty root");
    meet(s);
    exchange(s, fd);
    meet(s);
    close(fd);
    another(s);
    another(s);
}

/* Privilege separation: the child gives up everything, the parent does not. */
void script_setuid_child(struct side *s)
{
    int fd = connected(s);
    if (geteuid() != 0) {
        say("SKIPPED: only root may become somebody else");
        return;
    }
    if (s->client) {
        exchange(s, fd);
        exchange(s, fd);
    } else {
        pid_t child = fork();
        int status;
        if (child == 0) {
            if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
                fail("setuid");
            exchange(s, fd);
            _exit(0);
        }
        waitpid(child, &status, 0);
        exchange(s, fd);
    }
    meet(s);
    another(s);
}
