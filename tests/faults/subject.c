/*
 * The program that is made to fail: a client or a server that does a little of everything, never ends by itself before its time,
 * and looks whether what it got is what was sent.
 *
 *   subject server                 listens; its port goes to standard output; ends when standard input does
 *   subject client PORT            two rounds with faults, then one without
 *   subject storm PORT ROUNDS      so many rounds with faults at random, twice; what is held after each must be the same
 *   subject storm PORT ROUNDS server  the same, where the server is the one that fails
 *   subject answer FD N            started on a connection: sends N bytes back
 *   subject ask FD N               started on a connection: sends N bytes and wants them back
 *
 * Exit status: 0, the last round was without a fault and all went well; 3, wrong bytes; 4, the last round failed; 5, something is lost.
 * Standard output: "descriptors: …", what is open at the end.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/libc.h"
#include "conn/family/family.h"
#include "control.h"

static const char canary[] = "canary-in-the-clear ";
enum { PIECE = 100, LARGE = 40000, GREETING = sizeof canary - 1, PATIENCE = 20 };

static char *self;
static const char *step = "start"; /* for the sentence */
static int listener = -1;

static void wrong(const char *what)
{
    fprintf(stderr, "%s: %s\n", step, what);
    exit(3);
}

static void hangs(int number)
{
    fprintf(stderr, "%s: there is no end\n", step);
    signal(number, SIG_DFL);
    raise(number);
}

static void fill(char *at, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        at[i] = canary[(from + i) % GREETING];
}

static void check(const char *at, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        if (at[i] != canary[(from + i) % GREETING])
            wrong("other bytes than were sent");
}

/* ---- all of it, or false ---- */

static bool wait_for(int fd, short events)
{
    struct pollfd one = { fd, events, 0 };
    int n;
    do
        n = poll(&one, 1, PATIENCE * 1000);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

static bool again(int fd, short events)
{
    return errno == EINTR || (errno == EAGAIN && wait_for(fd, events));
}

static bool put(int fd, const char *at, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, at, n);
        if (done > 0) {
            at += done;
            n -= (size_t)done;
        } else if (!again(fd, POLLOUT)) {
            return false;
        }
    }
    return true;
}

static bool get(int fd, char *at, size_t n)
{
    while (n > 0) {
        ssize_t done = read(fd, at, n);
        if (done > 0) {
            at += done;
            n -= (size_t)done;
        } else if (done == 0) {
            errno = EPIPE;
            return false;
        } else if (!again(fd, POLLIN)) {
            return false;
        }
    }
    return true;
}

static bool put_canary(int fd, size_t n)
{
    static char bytes[LARGE];
    fill(bytes, n, 0);
    return put(fd, bytes, n);
}

static bool get_canary(int fd, size_t n)
{
    static char bytes[LARGE];
    if (!get(fd, bytes, n))
        return false;
    check(bytes, n, 0);
    return true;
}

/* ---- what is left open ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void tell_descriptors(void)
{
    static char kinds[256][64];
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    size_t n = 0;
    if (!directory)
        wrong("no /proc");
    while ((entry = readdir(directory)) && n < 256) {
        int fd = atoi(entry->d_name), domain = 0;
        socklen_t length = sizeof domain;
        char path[64], *end;
        ssize_t got;
        if (entry->d_name[0] == '.' || fd == dirfd(directory) || fd <= 2)
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        got = readlink(path, kinds[n], sizeof kinds[n] - 1);
        if (got < 0)
            continue;
        kinds[n][got] = '\0';
        end = strchr(kinds[n], ':');
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0)
            snprintf(kinds[n], sizeof kinds[n], "socket-of-domain-%d", domain);
        else if (end && strncmp(kinds[n], "anon_inode", 10) != 0)
            *end = '\0';
        for (end = kinds[n]; *end; end++)
            if (*end == ' ')
                *end = '_';
        n++;
    }
    closedir(directory);
    qsort(kinds, n, sizeof kinds[0], by_text);
    printf("descriptors:");
    for (size_t i = 0; i < n; i++)
        printf(" %s", kinds[i]);
    printf("\n");
    fflush(stdout);
}

/* ---- what is held ---- */

struct measure {
    uint64_t heap, arena, descriptors;
};

/* Of conn/family/arena.c. */
struct chunk {
    uint32_t lock, index, used, free_list[9];
};

static uint64_t held_in(const uint8_t *base)
{
    const struct chunk *chunk = (const void *)base;
    uint64_t held = chunk->used;
    for (int class = 0; class < 9; class ++)
        for (uint32_t at = chunk->free_list[class]; at; at = *(const uint32_t *)(const void *)(base + at))
            held -= 512u << class;
    return held;
}

static uint64_t held_in_family(int fd)
{
    struct stat st;
    uint64_t held = 0;
    uint8_t *at =
        fstat(fd, &st) == 0 ? mmap(NULL, 16 * FAMILY_CHUNK, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    uint32_t chunks;
    if (at == MAP_FAILED)
        return 0;
    chunks = atomic_load(&((struct family *)(void *)at)->chunks);
    for (uint32_t i = 1; i < chunks && i < 16; i++)
        held += held_in(at + (size_t)i * FAMILY_CHUNK);
    munmap(at, 16 * FAMILY_CHUNK);
    return held;
}

static struct measure measure(void)
{
    struct measure now = { 0 };
    for (int fd = 3; fd < 70000; fd++) {
        char path[64], target[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) <= 0)
            continue;
        now.descriptors++;
        if (strncmp(target, "/memfd:meshshim-family", 22) == 0)
            now.arena = held_in_family(fd); /* the library's own: closing another one would end its locks */
    }
    now.heap = mallinfo2().uordblks;
    return now;
}

/* ---- the server ---- */

struct command {
    char what;
    char unused[3];
    uint32_t n;
};

static bool echo(int fd, size_t n)
{
    return get_canary(fd, n) && put_canary(fd, n);
}

static bool send_file(int fd, size_t n)
{
    char name[] = "/tmp/meshshim-fault.XXXXXX";
    int file = mkstemp(name);
    off_t at = 0;
    bool good = file >= 0;
    if (good) {
        unlink(name);
        good = put_canary(file, n);
    }
    while (good && (size_t)at < n)
        good = sendfile(fd, file, &at, n - (size_t)at) > 0 || again(fd, POLLOUT);
    if (file >= 0)
        close(file);
    return good;
}

static bool ended_well(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    if (WIFSIGNALED(status)) { /* the same end, so that it is seen */
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    if (WEXITSTATUS(status) == 3)
        exit(3);
    errno = ECHILD;
    return WEXITSTATUS(status) == 0;
}

static bool by_child(int fd, size_t n, bool (*job)(int, size_t))
{
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        _exit(job(fd, n) ? 0 : 1);
    }
    return child > 0 && ended_well(child);
}

static bool by_program(int fd, size_t n, char *job, bool spawn)
{
    char number[12], count[12], *argv[] = { self, job, number, count, NULL };
    pid_t child;
    snprintf(number, sizeof number, "%d", fd);
    snprintf(count, sizeof count, "%zu", n);
    if (spawn) {
        errno = posix_spawn(&child, self, NULL, NULL, argv, environ);
        return errno == 0 && ended_well(child);
    }
    child = fork();
    if (child == 0) {
        alarm(PATIENCE);
        execv(self, argv);
        _exit(1);
    }
    return child > 0 && ended_well(child);
}

/* False: the connection is at its end. */
static bool obey(int fd)
{
    struct command command;
    if (!get(fd, (char *)&command, sizeof command))
        return false;
    if (command.n > LARGE)
        wrong("a command that nobody gave");
    switch (command.what) {
    case 'e':
        return echo(fd, command.n);
    case 's':
        return send_file(fd, command.n);
    case 'f':
        return by_child(fd, command.n, echo);
    case 'x':
        return by_program(fd, command.n, "answer", false);
    case 'm': {
        struct measure now = measure();
        return put(fd, (const char *)&now, sizeof now);
    }
    case 'q':
        return false;
    default:
        wrong("a command that nobody gave");
    }
    return false;
}

static void serve_one(void)
{
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (put_canary(fd, GREETING))
        while (obey(fd))
            alarm(PATIENCE);
    close(fd);
}

static int server(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    struct pollfd waits[2] = { { 0, POLLIN, 0 }, { 0, POLLIN, 0 } };
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 3 && listener < 0; i++) {
        listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (listener >= 0 &&
            (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 20) != 0 ||
             getsockname(listener, (struct sockaddr *)&address, &length) != 0)) {
            close(listener);
            listener = -1;
        }
    }
    if (listener < 0)
        return 4;
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    waits[1].fd = listener;
    for (;;) {
        alarm(PATIENCE);
        if (poll(waits, 2, -1) < 0)
            continue;
        if (waits[0].revents)
            break;
        if (waits[1].revents)
            serve_one();
    }
    close(listener);
    tell_descriptors();
    return 0;
}

/* ---- the client ---- */

static bool command(int fd, char what, size_t n)
{
    struct command command = { .what = what, .n = (uint32_t)n };
    return put(fd, (const char *)&command, sizeof command);
}

static bool ask(int fd, size_t n)
{
    return put_canary(fd, n) && get_canary(fd, n);
}

static bool through_vectors(int fd, size_t n)
{
    char bytes[PIECE];
    struct iovec parts[2] = { { bytes, n / 2 }, { bytes + n / 2, n - n / 2 } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t done;
    fill(bytes, n, 0);
    done = sendmsg(fd, &message, 0);
    if (done < 0 || (done < (ssize_t)n && !put(fd, bytes + done, n - (size_t)done)) || !wait_for(fd, POLLIN))
        return false;
    done = recv(fd, bytes, n, MSG_PEEK);
    if (done <= 0)
        return false;
    check(bytes, (size_t)done, 0);
    done = readv(fd, parts, 2);
    if (done <= 0 || (done < (ssize_t)n && !get(fd, bytes + done, n - (size_t)done)))
        return false;
    check(bytes, n, 0);
    return true;
}

static bool at_end(int fd)
{
    char byte;
    return read(fd, &byte, 1) == 0;
}

#define STEP(name, what) (step = (name), (what))

/* A command and what belongs to it are two writes. */
static bool hurry(int fd)
{
    int on = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

static bool talk(int fd)
{
    return STEP("setsockopt", hurry(fd)) && STEP("greeting", get_canary(fd, GREETING)) &&
           STEP("a piece", command(fd, 'e', PIECE) && ask(fd, PIECE)) &&
           STEP("much", command(fd, 'e', LARGE) && ask(fd, LARGE)) &&
           STEP("vectors", command(fd, 'e', PIECE) && through_vectors(fd, PIECE)) &&
           STEP("a file", command(fd, 's', LARGE) && get_canary(fd, LARGE));
}

static bool through_processes(int fd)
{
    return STEP("its child", command(fd, 'f', PIECE) && ask(fd, PIECE)) &&
           STEP("its program", command(fd, 'x', PIECE) && ask(fd, PIECE)) &&
           STEP("our child", command(fd, 'e', PIECE) && by_child(fd, PIECE, ask)) &&
           STEP("our program", command(fd, 'e', PIECE) && by_program(fd, PIECE, "ask", false)) &&
           STEP("our spawned program", command(fd, 'e', PIECE) && by_program(fd, PIECE, "ask", true)) &&
           STEP("afterwards", command(fd, 'e', PIECE) && ask(fd, PIECE));
}

static bool goodbye(int fd)
{
    return STEP("goodbye", shutdown(fd, SHUT_WR) == 0 && at_end(fd));
}

/* From here on calls fail in the given mode, or not, nor are they counted. */
static void faults(enum fault_mode mode)
{
    static struct fault_control *control;
    const char *path = getenv("FAULT_SWITCH");
    int fd = control || !path ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    if (control)
        atomic_store(&control->mode, mode);
}

static bool waiting_round(const struct sockaddr_in *address)
{
    int fd = STEP("socket", socket(AF_INET, SOCK_STREAM, 0));
    bool good = fd >= 0 &&
                STEP("connect", connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) &&
                talk(fd) && through_processes(fd) && goodbye(fd);
    if (!good)
        fprintf(stderr, "%s: %s\n", step, strerror(errno));
    if (fd >= 0)
        close(fd);
    return good;
}

static bool ready(int set, int fd, uint32_t events, uint32_t wanted)
{
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) != 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0)
        return false;
    for (;;) {
        int n = epoll_wait(set, &event, 1, PATIENCE * 1000);
        if (n == 1)
            return event.events & (wanted | EPOLLERR | EPOLLHUP);
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static bool connected(int set, int fd, const struct sockaddr_in *address)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return true;
    if (errno != EINPROGRESS || !ready(set, fd, EPOLLOUT, EPOLLOUT) ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        return false;
    errno = error;
    return error == 0;
}

static bool event_round(const struct sockaddr_in *address)
{
    int set = STEP("epoll_create", epoll_create1(EPOLL_CLOEXEC));
    int fd = STEP("socket", socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), other = -1;
    bool good = set >= 0 && fd >= 0 && STEP("connect by events", connected(set, fd, address)) &&
                STEP("readable", ready(set, fd, EPOLLIN, EPOLLIN)) && talk(fd) &&
                STEP("dup", (other = dup(fd)) >= 0) && STEP("close", close(fd) == 0);
    if (good)
        fd = -1;
    good =
        good && STEP("duplicate", command(other, 'e', PIECE) && ask(other, PIECE) && command(other, 'q', 0));
    if (!good)
        fprintf(stderr, "%s: %s\n", step, strerror(errno));
    for (int each = 0; each < 3; each++) {
        int number = each == 0 ? set : each == 1 ? fd : other;
        if (number >= 0)
            close(number);
    }
    return good;
}

/* What could not be read is read again after a second. */
static bool in_time(const struct sockaddr_in *address)
{
    bool good = waiting_round(address);
    for (int i = 0; i < 4 && !good && getenv("FAULT_SWITCH"); i++) {
        alarm(PATIENCE);
        poll(NULL, 0, 400);
        good = waiting_round(address);
    }
    return good;
}

static int client(const char *port)
{
    struct addrinfo *found = NULL, hints = { .ai_family = AF_INET, .ai_flags = AI_NUMERICHOST };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    bool good = false;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (getaddrinfo("127.0.0.1", port, &hints, &found) == 0)
        freeaddrinfo(found);
    waiting_round(&address);
    alarm(PATIENCE);
    event_round(&address);
    alarm(PATIENCE);
    faults(FAULT_NONE);
    good = in_time(&address);
    tell_descriptors();
    return good ? 0 : 4;
}

/* ---- many rounds ---- */

static bool told(const struct sockaddr_in *address, struct measure *answer)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool good = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
                get_canary(fd, GREETING) && command(fd, 'm', 0) && get(fd, (char *)answer, sizeof *answer) &&
                command(fd, 'q', 0) && at_end(fd);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool calm(const struct sockaddr_in *address)
{
    bool good;
    faults(FAULT_NONE);
    good = in_time(address);
    for (int i = 0; i < 6 && good; i++)
        good = i % 2 ? event_round(address) : waiting_round(address);
    return good;
}

static bool look(const struct sockaddr_in *address, bool there, struct measure *now)
{
    if (there)
        return told(address, now);
    *now = measure();
    return true;
}

static int storm(const char *port, int rounds, bool there)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    struct measure after[3];
    int good = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int part = 0; part < 3; part++) {
        if (part)
            faults(FAULT_RATE);
        for (int i = 0; part && i < rounds; i++) {
            alarm(PATIENCE);
            good += i % 2 ? event_round(&address) : waiting_round(&address);
        }
        alarm(PATIENCE);
        if (!calm(&address) || !look(&address, there, &after[part]))
            return 4;
        printf("%s %d rounds of %d: heap %llu, arena %llu, descriptors %llu\n", part ? "# after" : "# before",
               good, part * rounds, (unsigned long long)after[part].heap,
               (unsigned long long)after[part].arena, (unsigned long long)after[part].descriptors);
        fflush(stdout);
    }
    tell_descriptors();
    return after[2].descriptors != after[1].descriptors || after[2].arena > after[1].arena ||
                   after[2].heap > after[1].heap + 65536
               ? 5
               : 0;
}

int main(int argc, char **argv)
{
    self = argv[0];
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, hangs);
    alarm(PATIENCE);
    if (argc == 2 && strcmp(argv[1], "server") == 0)
        return server();
    if (argc == 3 && strcmp(argv[1], "client") == 0)
        return client(argv[2]);
    if (argc >= 4 && strcmp(argv[1], "storm") == 0)
        return storm(argv[2], atoi(argv[3]), argc > 4);
    if (argc == 4 && strcmp(argv[1], "answer") == 0)
        return echo(atoi(argv[2]), (size_t)atoi(argv[3])) ? 0 : 1;
    if (argc == 4 && strcmp(argv[1], "ask") == 0)
        return ask(atoi(argv[2]), (size_t)atoi(argv[3])) ? 0 : 1;
    return 2;
}
