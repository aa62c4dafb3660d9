/*
 * Runs tests/faults/subject as client and server, with a relay between them that looks at every byte, and makes one call of the library
 * fail in each run.
 *
 *   drive DIRECTORY SUBJECT PRELOADS INJECTOR [--side SIDE] [--whole] [--jobs N] [--only SIDE:CALL:THREAD:NTH:ERRNO]
 *         [--storm ROUNDS --rate N]
 *
 * DIRECTORY holds ini/client.ini and ini/server.ini, apart from what is written here: its changes are looked for. Lines `not ok …` say which call and how its host fared; `#` lines count.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/libc.h"
#include "control.h"

static const char *const call_names[] = {
#define SYM(ret, name, params, args, number) #name,
#include "base/symbols.def"
#undef SYM
#define CALL(ret, name, params, args, failure) #name,
#define SAFE(name)
#include "calls.def"
#undef CALL
#undef SAFE
};

static const char canary[] = "canary-in-the-clear";
static const char *const side_names[] = { "client", "server" };
enum { CLIENT, SERVER, LIMIT_MS = 30000, RELAYED = 8, TAIL = sizeof canary - 2 };

static const char *directory, *subject, *preloads, *injector, *storm;

/* One run: which call fails, and what came of it. */
struct fault {
    int side, call, thread, error;
    uint32_t nth, detail;
};

struct outcome {
    int status[2]; /* as waitpid gives it; -1: it was killed, for there was no end */
    bool seen;     /* the canary, on the wire */
    uint32_t hits;
    struct fault_site hit;
    char descriptors[2][512];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void die(const char *what)
{
    fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- the relay ---- */

struct way {
    int from, to;
    char data[TAIL + 16384];
    size_t tail; /* what came before, for a canary that is cut in two */
};

static struct way ways[RELAYED * 2];

static int loopback(int port, bool listens)
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

static int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &length);
    return ntohs(address.sin_port);
}

static void relay_begin(int listener, int port)
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

static bool relay_pass(struct way *way)
{
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

/* ---- one run ---- */

struct process {
    pid_t pid;
    int watch, out; /* a pidfd; its standard output */
    bool ended;
};

static struct process start(int side, const char *argument, const struct fault *fault, const char *slot,
                            int input)
{
    char log[300], config[300], control[300], both[1024];
    struct process process = { 0 };
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0)
        die("pipe");
    snprintf(log, sizeof log, "%s/%s.%s.err", directory, slot, side_names[side]);
    snprintf(config, sizeof config, "%s/ini/%s.ini", directory, side_names[side]);
    snprintf(control, sizeof control, "%s/%s.control", directory, slot);
    snprintf(both, sizeof both, "%s:%s", preloads, injector);
    process.pid = fork();
    if (process.pid == 0) {
        dup2(input >= 0 ? input : open("/dev/null", O_RDONLY), 0);
        dup2(out[1], 1);
        dup2(open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        closefrom(3);
        setenv("LD_PRELOAD", both, 1);
        setenv("MESHSHIM_CONFIG", config, 1);
        if (fault->side == side)
            setenv("FAULT_FILE", control, 1);
        else
            unsetenv("FAULT_FILE");
        if (side == CLIENT)
            setenv("FAULT_SWITCH", control, 1);
        if (storm && side == CLIENT)
            execl(subject, subject, "storm", argument, storm, fault->side == SERVER ? "server" : NULL,
                  (char *)NULL);
        execl(subject, subject, side_names[side], argument, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    process.out = out[0];
    process.watch = (int)syscall(SYS_pidfd_open, process.pid, 0);
    return process;
}

static int read_port(int out)
{
    char line[64];
    size_t n = 0;
    struct pollfd one = { out, POLLIN, 0 };
    while (n < sizeof line - 1 && poll(&one, 1, LIMIT_MS) == 1 && read(out, line + n, 1) == 1 &&
           line[n] != '\n')
        n++;
    line[n] = '\0';
    return strncmp(line, "port ", 5) == 0 ? atoi(line + 5) : 0;
}

static void take_report(int out, char *into, size_t room)
{
    char text[1024];
    ssize_t n = read(out, text, sizeof text - 1);
    char *at;
    into[0] = '\0';
    text[n > 0 ? n : 0] = '\0';
    at = strstr(text, "\ndescriptors:");
    at = at ? at + 1 : strncmp(text, "descriptors:", 12) == 0 ? text : NULL;
    if (storm)
        printf("%.*s", (int)(at ? at - text : n > 0 ? n : 0), text);
    if (at)
        snprintf(into, room, "%.*s", (int)strcspn(at, "\n"), at);
}

/* Until both have ended, or nobody waits any longer. */
static void attend(struct process *p, int listener, int port, int *input, struct outcome *outcome)
{
    int64_t end = now_ms() + (storm ? 20 : 1) * LIMIT_MS;
    while (!p[CLIENT].ended || !p[SERVER].ended) {
        struct pollfd all[3 + RELAYED * 2];
        if (p[CLIENT].ended && *input >= 0) {
            close(*input);
            *input = -1;
        }
        all[0] = (struct pollfd){ p[CLIENT].ended ? -1 : p[CLIENT].watch, POLLIN, 0 };
        all[1] = (struct pollfd){ p[SERVER].ended ? -1 : p[SERVER].watch, POLLIN, 0 };
        all[2] = (struct pollfd){ listener, POLLIN, 0 };
        for (int i = 0; i < RELAYED * 2; i++)
            all[3 + i] = (struct pollfd){ ways[i].from, POLLIN, 0 };
        if (now_ms() > end)
            return;
        poll(all, 3 + RELAYED * 2, 1000);
        for (int i = 0; i < 2; i++)
            if (all[i].revents)
                p[i].ended = waitpid(p[i].pid, &outcome->status[i], 0) == p[i].pid;
        if (all[2].revents)
            relay_begin(listener, port);
        for (int i = 0; i < RELAYED * 2; i++)
            if (all[3 + i].revents && ways[i].from == all[3 + i].fd && relay_pass(&ways[i]))
                outcome->seen = true;
    }
}

static struct fault_control *map_control(const char *slot, bool fresh)
{
    char path[300];
    void *at;
    int fd;
    snprintf(path, sizeof path, "%s/%s.control", directory, slot);
    fd = open(path, O_RDWR | O_CREAT | (fresh ? O_TRUNC : 0) | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct fault_control)) != 0)
        die(path);
    at = mmap(NULL, sizeof(struct fault_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED)
        die(path);
    return at;
}

static void run(const struct fault *fault, int mode, const char *slot, struct outcome *outcome)
{
    struct fault_control *control = map_control(slot, true);
    struct process p[2];
    int listener = loopback(0, true), input[2], port;
    char number[12];
    memset(outcome, 0, sizeof *outcome);
    outcome->status[CLIENT] = outcome->status[SERVER] = -1;
    for (int i = 0; i < RELAYED * 2; i++)
        ways[i].from = -1;
    control->call = fault->call;
    control->thread = fault->thread;
    control->error = fault->error;
    control->nth = fault->nth;
    atomic_store(&control->mode, mode);
    if (listener < 0 || pipe2(input, O_CLOEXEC) != 0)
        die("relay");
    p[SERVER] = start(SERVER, NULL, fault, slot, input[0]);
    close(input[0]);
    port = read_port(p[SERVER].out);
    snprintf(number, sizeof number, "%d", port_of(listener));
    p[CLIENT] = start(CLIENT, number, fault, slot, -1);
    attend(p, listener, port, &input[1], outcome);
    for (int i = 0; i < 2; i++) {
        if (!p[i].ended) {
            kill(p[i].pid, SIGKILL);
            waitpid(p[i].pid, NULL, 0);
        }
        take_report(p[i].out, outcome->descriptors[i], sizeof outcome->descriptors[i]);
    }
    outcome->hits = atomic_load(&control->hits);
    memcpy((void *)&outcome->hit, (void *)&control->hit, sizeof outcome->hit);
    munmap(control, sizeof *control);
}

/* ---- what came of it ---- */

/* How many of the words of `text` are `word`. */
static int occurrences(const char *text, const char *word, size_t length)
{
    int found = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        found += n == length && strncmp(text, word, n) == 0;
        text += n + (text[n] == ' ');
    }
    return found;
}

static bool ends_in(const char *word, size_t length, const char *end)
{
    size_t n = strlen(end);
    return length >= n && strncmp(word + length - n, end, n) == 0;
}

/*
 * Where the admin thread could have no table of its own, its descriptors are in the program's: how many of them at once. While it clears the
 * runtime directory of dead sockets it has that open, and a second socket.
 */
static int admins_own(const char *word, size_t length)
{
    static const struct {
        const char *end;
        int count;
    } own[] = { { "socket-of-domain-1", 2 }, { "anon_inode:inotify", 1 }, { "/run", 1 } };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (ends_in(word, length, own[i].end))
            return own[i].count;
    return 0;
}

/* Nothing is open that is not open where nothing fails. */
static bool is_within(const char *what, const char *of)
{
    for (const char *at = what; *at;) {
        size_t n = strcspn(at, " ");
        if (occurrences(what, at, n) > occurrences(of, at, n) + admins_own(at, n))
            return false;
        at += n + (at[n] == ' ');
    }
    return true;
}

static struct outcome reference;

static const char *judge_side(const struct outcome *outcome, int side)
{
    static char text[700];
    int status = outcome->status[side];
    if (status == -1)
        return "there was no end";
    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return text;
    }
    if (WEXITSTATUS(status) == 3)
        return "got other bytes than were sent";
    if (WEXITSTATUS(status) == 4)
        return "is of no use afterwards";
    if (WEXITSTATUS(status) == 5)
        return "has lost something";
    if (WEXITSTATUS(status) != 0)
        return "ended badly";
    if (!is_within(outcome->descriptors[side], reference.descriptors[side])) {
        snprintf(text, sizeof text, "has left open: %s", outcome->descriptors[side]);
        return text;
    }
    return NULL;
}

/* NULL, or what is wrong. */
static const char *judge(const struct outcome *outcome)
{
    static char text[800];
    if (outcome->seen)
        return "plain text on the wire";
    for (int i = 0; i < 2; i++) {
        const char *found = judge_side(outcome, i);
        if (found) {
            snprintf(text, sizeof text, "the %s %s", side_names[i], found);
            return text;
        }
    }
    return NULL;
}

static void tell(const struct fault *fault, const struct outcome *outcome, const char *what)
{
    printf("not ok %s:%s:%d:%u:%d %s: %s: %s [", side_names[fault->side], call_names[fault->call],
           fault->thread, fault->nth, fault->error, strerrorname_np(fault->error), call_names[fault->call],
           what);
    for (int i = 0; i < outcome->hit.frames; i++)
        printf("%s0x%x", i ? " " : "", outcome->hit.frame[i]);
    printf("]\n");
}

/* ---- all of them ---- */

enum { FAULTS_MOST = 1 << 16 };
static struct fault faults[FAULTS_MOST];
static size_t fault_count;

struct progress {
    _Atomic size_t next, bad, hit, missed;
};

static void add(const struct fault *fault)
{
    if (fault_count < FAULTS_MOST)
        faults[fault_count++] = *fault;
}

/* What the kernel or libc may say; the first is what a quick run tries. */
static const struct {
    int call;
    int error[5];
} likely[] = {
    { CALL_socket, { EMFILE, ENFILE, ENOBUFS } },
    { CALL_accept, { EMFILE, ENFILE, ENOBUFS, ECONNABORTED } },
    { CALL_accept4, { EMFILE, ENFILE, ENOBUFS, ECONNABORTED } },
    { CALL_connect, { ENETUNREACH, EADDRNOTAVAIL, ENOBUFS, ECONNREFUSED } },
    { CALL_send, { ECONNRESET, EPIPE, ENOBUFS } },
    { CALL_sendmsg, { ECONNRESET, EPIPE, ENOBUFS } },
    { CALL_recv, { ECONNRESET, ENOMEM, ETIMEDOUT } },
    { CALL_recvmsg, { ECONNRESET, ENOMEM, ETIMEDOUT } },
    { CALL_read, { EIO } },
    { CALL_write, { ENOSPC, EIO, EDQUOT } },
    { CALL_close, { EIO, EINTR } },
    { CALL_open, { EMFILE, EACCES, ENOENT, EROFS } },
    { CALL_opendir, { EMFILE, ENOENT } },
    { CALL_dup, { EMFILE } },
    { CALL_poll, { EINTR, ENOMEM } },
    { CALL_ppoll, { EINTR, ENOMEM } },
    { CALL_epoll_wait, { EINTR } },
    { CALL_epoll_pwait, { EINTR } },
    { CALL_epoll_pwait2, { EINTR, ENOSYS } },
    { CALL_epoll_ctl, { ENOSPC, ENOMEM } },
    { CALL_fork, { EAGAIN, ENOMEM } },
    { CALL_posix_spawn, { EAGAIN, ENOMEM } },
    { CALL_execve, { ENOMEM, E2BIG, EACCES } },
    { CALL_getsockopt, { ENOBUFS, ENOPROTOOPT } },
    { CALL_setsockopt, { ENOBUFS, ENOPROTOOPT } },
    { CALL_getpeername, { ENOTCONN, ENOBUFS } },
    { CALL_getsockname, { ENOBUFS } },
    { CALL_shutdown, { ENOTCONN } },
    { CALL_timerfd_create, { EMFILE, ENFILE } },
    { CALL_inotify_init1, { EMFILE } },
    { CALL_inotify_add_watch, { ENOSPC } },
    { CALL_bind, { EADDRINUSE, EROFS, ENOSPC } },
    { CALL_mkdir, { EROFS, ENOSPC, EACCES } },
    { CALL_ftruncate, { ENOSPC, EFBIG } },
    { CALL_fallocate, { ENOSPC, EOPNOTSUPP } },
    { CALL_pwrite, { ENOSPC, EIO } },
    { CALL_pread, { EIO } },
    { CALL_preadv64, { EIO } },
    { CALL_flock, { ENOLCK, EWOULDBLOCK } },
    { CALL_pthread_create, { EAGAIN } },
    { CALL_nanosleep, { EINTR } },
    { CALL_sem_clockwait, { ETIMEDOUT, EINTR } },
    { CALL_kill, { EPERM } },
    { CALL_getrandom, { EAGAIN, ENOSYS } },
    { CALL_getentropy, { EIO } },
    { CALL_stat, { ENOENT, EACCES } },
    { CALL_lstat, { ENOENT, EACCES } },
    { CALL_readlink, { ENOENT } },
    { CALL_realpath, { ENOENT } },
    { CALL_rename, { ENOSPC, EROFS } },
    { CALL_unlink, { EROFS } },
    { CALL_fchmod, { EROFS } },
    { CALL_chmod, { EROFS } },
    { CALL_mlock, { ENOMEM, EAGAIN } },
    { CALL_madvise, { ENOMEM, EINVAL } },
    { CALL_access, { ENOENT } },
    { CALL_faccessat, { EACCES } },
    { CALL_prctl, { EPERM } },
};

/* A system call by number. */
static const struct {
    long number;
    int error[5];
} likely_numbers[] = {
    { SYS_recvfrom, { ECONNRESET, ENOMEM } },
    { SYS_sendto, { ECONNRESET, EPIPE, ENOBUFS } },
    { SYS_openat, { EMFILE, ENOENT } },
    { SYS_getdents64, { ENOENT } },
    { SYS_memfd_create, { EMFILE, ENOMEM } },
    { SYS_nanosleep, { EINTR } },
    { SYS_futex, { EINTR } },
};

static const int *errors_of(int call, uint32_t detail)
{
    static const int usual[5] = { ENOMEM }, numbers[5] = { EMFILE }, locks[5] = { ENOLCK };
    if (call == CALL_fcntl)
        return detail == F_DUPFD || detail == F_DUPFD_CLOEXEC ? numbers : detail == F_SETLK ? locks : usual;
    for (size_t i = 0; call == CALL_syscall && i < sizeof likely_numbers / sizeof likely_numbers[0]; i++)
        if ((uint32_t)likely_numbers[i].number == detail)
            return likely_numbers[i].error;
    for (size_t i = 0; i < sizeof likely / sizeof likely[0]; i++)
        if (likely[i].call == call)
            return likely[i].error;
    return usual;
}

static int by_first(const void *a, const void *b)
{
    const struct fault_site *x = a, *y = b;
    if (x->call != y->call)
        return x->call < y->call ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/*
 * OpenSSL allocates in thousands of places, all by its one function: of places that share the innermost caller, the first `sample`, and as many evenly spread. Of the others the first call from there and the last.
 * Everything where it is 0.
 */
static void choose(const struct fault_site *site, size_t n, int side, bool whole, size_t sample)
{
    for (size_t i = 0; i < n; i++) {
        size_t alike = 0, before = 0;
        const int *errors = errors_of(site[i].call, site[i].detail);
        for (size_t j = 0; j < n; j++)
            if (site[j].call == site[i].call && site[j].frame[0] == site[i].frame[0]) {
                alike++;
                before += j < i;
            }
        if (sample && alike > sample && before >= sample &&
            before * sample / alike == (before + 1) * sample / alike)
            continue;
        for (int e = 0; e < 5 && errors[e] && (e == 0 || whole); e++)
            add(&(struct fault){ side, site[i].call, site[i].thread, errors[e], site[i].first,
                                 site[i].detail });
        if (site[i].last && (alike <= sample || !sample))
            add(&(struct fault){ side, site[i].call, site[i].thread, errors[0], site[i].last,
                                 site[i].detail });
    }
}

static void survey(int side, bool whole, size_t sample)
{
    static struct fault_site site[FAULT_SITES];
    struct fault none = { .side = side };
    struct outcome outcome;
    struct fault_control *control;
    size_t n = 0;
    run(&none, FAULT_COUNT, "count", &outcome);
    reference = outcome;
    if (judge(&outcome)) {
        printf("not ok %s: where nothing fails: %s\n", side_names[side], judge(&outcome));
        exit(1);
    }
    control = map_control("count", false);
    for (size_t i = 0; i < FAULT_SITES; i++)
        if (atomic_load(&control->site[i].hash))
            memcpy((void *)&site[n++], (void *)&control->site[i], sizeof site[0]);
    munmap(control, sizeof *control);
    qsort(site, n, sizeof site[0], by_first);
    choose(site, n, side, whole, sample);
    printf("# %s: %zu places\n", side_names[side], n);
}

static void work(struct progress *progress, int number)
{
    char slot[16];
    size_t i;
    snprintf(slot, sizeof slot, "job%d", number);
    while ((i = atomic_fetch_add(&progress->next, 1)) < fault_count) {
        struct outcome outcome;
        const char *found;
        run(&faults[i], FAULT_ONE, slot, &outcome);
        atomic_fetch_add(outcome.hits ? &progress->hit : &progress->missed, 1);
        found = judge(&outcome);
        if (found) {
            atomic_fetch_add(&progress->bad, 1);
            tell(&faults[i], &outcome, found);
            fflush(stdout);
        }
    }
}

static bool parse(const char *text, struct fault *fault)
{
    char side[16], call[64];
    if (sscanf(text, "%15[^:]:%63[^:]:%d:%u:%d", side, call, &fault->thread, &fault->nth, &fault->error) != 5)
        return false;
    fault->side = strcmp(side, side_names[SERVER]) == 0;
    for (int i = 0; i < CALLS; i++)
        if (strcmp(call, call_names[i]) == 0)
            fault->call = i;
    return true;
}

static int storm_once(int side, uint32_t rate)
{
    const struct fault fault = { .side = side, .nth = rate };
    struct outcome outcome;
    const char *found;
    run(&fault, FAULT_NONE, "storm", &outcome);
    reference = outcome;
    found = judge(&outcome);
    printf("# %u calls failed\n", outcome.hits);
    if (found)
        printf("not ok %s\n", found);
    return found || outcome.hits == 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct fault only;
    bool whole = false, one = false;
    size_t sample = 5;
    uint32_t rate = 1000;
    int jobs = 4, chosen = -1;
    if (argc < 5)
        return 2;
    directory = argv[1];
    subject = argv[2];
    preloads = argv[3];
    injector = argv[4];
    for (int i = 5; i < argc; i++) {
        if (strcmp(argv[i], "--whole") == 0)
            whole = true, sample = 0;
        else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
            jobs = atoi(argv[++i]);
        else if (strcmp(argv[i], "--side") == 0 && i + 1 < argc)
            chosen = strcmp(argv[++i], side_names[SERVER]) == 0;
        else if (strcmp(argv[i], "--storm") == 0 && i + 1 < argc)
            storm = argv[++i];
        else if (strcmp(argv[i], "--rate") == 0 && i + 1 < argc)
            rate = (uint32_t)atoi(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc && parse(argv[++i], &only))
            one = true;
        else
            return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (storm)
        return storm_once(chosen == SERVER ? SERVER : CLIENT, rate);
    for (int side = CLIENT; side <= SERVER; side++)
        if (chosen < 0 || chosen == side)
            survey(side, whole, sample);
    if (one) {
        fault_count = 0;
        add(&only);
    }
    fflush(stdout);
    for (int i = 0; i < jobs; i++)
        if (fork() == 0) {
            work(progress, i);
            fflush(stdout);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("# %zu faults, %zu of them reached, %zu missed: %zu bad\n", fault_count, (size_t)progress->hit,
           (size_t)progress->missed, (size_t)progress->bad);
    return progress->bad ? 1 : 0;
}
