/*
 * Transfers whose ends are killed at random moments. Byte i of a stream is known, so is what each end was told; see tests/faults/killed.sh.
 *
 *   transfer catch N                takes N streams, one after the other: "received BYTES END" each
 *   transfer throw PORT N           sends N endless streams from a child each, which is killed: "told BYTES" each
 *   transfer sink N                 takes N streams in a child each, which is killed: "received BYTES" each
 *   transfer pour PORT N            sends N endless streams until they break: "told BYTES" each
 *   transfer messages N             takes N connections at once, of messages: "messages COUNT torn COUNT END" each
 *   transfer share PORT N           N times: four processes write messages to one connection, one of them is killed: "ended COUNT killed 1"
 *   transfer forks PORT CONNECTIONS CHILDREN   bursts of children use, close and leave connections, some are killed
 *
 * Those that listen print "port NUMBER" first. Exit status 3: wrong bytes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/libc.h"
#include "conn/family/family.h"

enum { CALL = 50000, PATIENCE = 60, WRITERS = 4, MESSAGES = 400, AT_ONCE = 64 };

static int listener;

static int cannot(const char *what)
{
    perror(what);
    exit(2);
}

static uint32_t dice(uint32_t sides)
{
    static uint64_t state;
    if (!state)
        state = (uint64_t)getpid() * 0x9e3779b97f4a7c15u ^ (uint64_t)time(NULL);
    state += 0x9e3779b97f4a7c15u;
    return (uint32_t)((state ^ state >> 31) * 0xbf58476d1ce4e5b9u >> 33) % sides;
}

static void moment(uint32_t most_us)
{
    usleep(dice(most_us));
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void listen_here(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 100) != 0 || getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        cannot("listen");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
}

static int dial(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void *shared_pages(size_t n)
{
    void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

/* ---- streams ---- */

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 2654435761u >> 13 ^ i);
}

static void fill(uint8_t *at, size_t n, uint64_t from)
{
    for (size_t i = 0; i < n; i++)
        at[i] = byte_at(from + i);
}

/* Until its end: 0, or the errno. */
static int take_stream(int fd, _Atomic uint64_t *received)
{
    static uint8_t bytes[CALL];
    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0)
            return n < 0 ? errno : 0;
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != byte_at(*received + (uint64_t)i))
                exit(3);
        atomic_fetch_add(received, (uint64_t)n);
    }
}

static void give_stream(int fd, _Atomic uint64_t *told)
{
    static uint8_t bytes[CALL];
    for (;;) {
        size_t length = 1 + dice(CALL);
        ssize_t n;
        fill(bytes, length, *told);
        n = write(fd, bytes, length);
        if (n <= 0)
            return;
        atomic_fetch_add(told, (uint64_t)n);
    }
}

static int catch (int n)
{
    listen_here();
    for (int i = 0; i < n; i++) {
        _Atomic uint64_t received = 0;
        int fd = accept(listener, NULL, NULL), error = take_stream(fd, &received);
        printf("received %llu %s\n", (unsigned long long)received, error ? strerrorname_np(error) : "clean");
        fflush(stdout);
        close(fd);
        alarm(PATIENCE);
    }
    return 0;
}

static int throw(int port, int n)
{
    _Atomic uint64_t *told = shared_pages((size_t)(n + 1) * sizeof *told), *connected = &told[n];
    for (int i = 0; i < n; i++) {
        pid_t child = fork();
        if (child == 0) {
            int fd = dial(port);
            atomic_fetch_add(connected, 1);
            give_stream(fd, &told[i]);
            _exit(0);
        }
        while (*connected <= (uint64_t)i)
            usleep(200);
        moment(25000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        printf("told %llu\n", (unsigned long long)told[i]);
        fflush(stdout);
    }
    return 0;
}

static int sink(int n)
{
    _Atomic uint64_t *received = shared_pages((size_t)n * sizeof *received);
    listen_here();
    for (int i = 0; i < n; i++) {
        int fd = accept(listener, NULL, NULL), status;
        pid_t child = fork();
        if (child == 0) {
            take_stream(fd, &received[i]);
            _exit(0);
        }
        close(fd);
        moment(25000);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
            return 3;
        printf("received %llu\n", (unsigned long long)received[i]);
        fflush(stdout);
        alarm(PATIENCE);
    }
    return 0;
}

static int pour(int port, int n)
{
    for (int i = 0; i < n; i++) {
        _Atomic uint64_t told = 0;
        int fd = dial(port);
        if (fd >= 0) {
            give_stream(fd, &told);
            close(fd);
        }
        printf("told %llu\n", (unsigned long long)told);
        fflush(stdout);
        alarm(PATIENCE);
    }
    return 0;
}

/* ---- messages ---- */

/* Each of one write. */
struct message {
    uint32_t magic, writer, number, sum;
    uint8_t body[240];
};
enum { MAGIC = 0x6d736721 };

static struct message message_of(uint32_t writer, uint32_t number)
{
    struct message message = { .magic = MAGIC, .writer = writer, .number = number };
    fill(message.body, sizeof message.body, (uint64_t)writer << 32 | number);
    message.sum = writer * 31 + number;
    return message;
}

static bool is_good(const struct message *message)
{
    struct message good = message_of(message->writer, message->number);
    return memcmp(message, &good, sizeof good) == 0;
}

/* One connection as it is read; what is no message was torn by a writer's end. */
struct reader {
    uint8_t bytes[2 * sizeof(struct message)];
    size_t length;
    unsigned messages, torn;
    bool in_tear;
};

static void digest(struct reader *r)
{
    while (r->length >= sizeof(struct message)) {
        struct message message;
        size_t used = sizeof message;
        memcpy(&message, r->bytes, sizeof message);
        if (is_good(&message)) {
            r->messages++;
            r->in_tear = false;
        } else {
            r->torn += !r->in_tear;
            r->in_tear = true;
            used = 1;
        }
        r->length -= used;
        memmove(r->bytes, r->bytes + used, r->length);
    }
}

/* False at the end. */
static bool take_some(int fd, struct reader *r, const char **end)
{
    ssize_t n = read(fd, r->bytes + r->length, sizeof r->bytes - r->length);
    if (n > 0) {
        r->length += (size_t)n;
        digest(r);
        return true;
    }
    *end = n == 0 ? "clean" : strerrorname_np(errno);
    return false;
}

static int messages(int n)
{
    static struct reader readers[AT_ONCE];
    struct pollfd fds[AT_ONCE + 1];
    int taken = 0, ended = 0;
    listen_here();
    for (int i = 0; i <= AT_ONCE; i++)
        fds[i] = (struct pollfd){ i == AT_ONCE ? listener : -1, POLLIN, 0 };
    while (ended < n) {
        if (poll(fds, AT_ONCE + 1, PATIENCE * 1000) <= 0)
            return 2;
        for (int i = 0; i < AT_ONCE; i++) {
            const char *end;
            if (fds[i].fd < 0 || !fds[i].revents || take_some(fds[i].fd, &readers[i], &end))
                continue;
            printf("messages %u torn %u %s\n", readers[i].messages, readers[i].torn + (readers[i].length > 0),
                   end);
            fflush(stdout);
            close(fds[i].fd);
            fds[i].fd = -1;
            ended++;
        }
        for (int i = 0; i < AT_ONCE && fds[AT_ONCE].revents; i++) {
            if (fds[i].fd >= 0)
                continue;
            fds[i].fd = accept(listener, NULL, NULL);
            readers[i] = (struct reader){ 0 };
            taken++;
            break;
        }
        fds[AT_ONCE].fd = taken < n ? listener : -1;
    }
    return 0;
}

static bool send_message(int fd, uint32_t writer, uint32_t number)
{
    struct message message = message_of(writer, number);
    const uint8_t *at = (const uint8_t *)&message;
    size_t left = sizeof message;
    while (left > 0) {
        ssize_t n = write(fd, at, left);
        if (n <= 0)
            return false;
        at += n;
        left -= (size_t)n;
    }
    return true;
}

static int share(int port, int n)
{
    for (int i = 0; i < n; i++) {
        pid_t writers[WRITERS];
        int fd = dial(port), ended = 0, status;
        if (fd < 0)
            cannot("connect");
        for (uint32_t w = 0; w < WRITERS; w++) {
            writers[w] = fork();
            if (writers[w] == 0) {
                alarm(PATIENCE / 3);
                for (uint32_t m = 0; m < MESSAGES; m++)
                    if (!send_message(fd, w, m))
                        _exit(1);
                _exit(0);
            }
        }
        moment(8000);
        kill(writers[0], SIGKILL);
        for (int w = 0; w < WRITERS; w++) {
            waitpid(writers[w], &status, 0);
            if (WIFEXITED(status))
                ended++;
            else if (w > 0)
                return 4; /* it hung */
        }
        printf("ended %d\n", ended);
        fflush(stdout);
        close(fd);
        alarm(PATIENCE);
    }
    return 0;
}

/* ---- a storm of children ---- */

static int slots_in_use(void)
{
    for (int fd = 3; fd < 70000; fd++) {
        char path[64], target[64] = "";
        struct family *family_;
        int used = 0;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) <= 0 ||
            strncmp(target, "/memfd:meshshim-family", 22) != 0)
            continue;
        family_ = mmap(NULL, sizeof *family_, PROT_READ, MAP_SHARED, fd, 0);
        if (family_ == MAP_FAILED)
            return -1;
        for (int i = 0; i < FAMILY_SLOTS; i++)
            used += atomic_load(&family_->slot[i]) != 0;
        munmap(family_, sizeof *family_);
        return used;
    }
    return -1;
}

static _Noreturn void live(const int *fds, int connections, uint32_t id)
{
    alarm(PATIENCE / 3);
    for (uint32_t m = 0; m < 20; m++) {
        int fd = fds[dice((uint32_t)connections)];
        if (!send_message(fd, id, m))
            _exit(1);
    }
    switch (id % 4) {
    case 0:
        for (int i = 0; i < connections; i++)
            close(fds[i]);
        _exit(0);
    case 1:
        exit(0);
    default:
        _exit(0);
    }
}

static int forks(int port, int connections, int children)
{
    enum { BURST = 25 };
    int fds[AT_ONCE], killed = 0, failed = 0, broken = 0, status;
    for (int i = 0; i < connections; i++)
        if ((fds[i] = dial(port)) < 0)
            cannot("connect");
    for (int done = 0; done < children; done += BURST) {
        pid_t all[BURST];
        for (int i = 0; i < BURST; i++) {
            all[i] = fork();
            if (all[i] == 0) {
                (void)dice(2);
                live(fds, connections, (uint32_t)(done + i + 1));
            }
            if (i % 5 == 4) {
                moment(2000);
                kill(all[i], SIGKILL);
            }
        }
        for (int i = 0; i < BURST; i++) {
            if (waitpid(all[i], &status, 0) != all[i] || (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL))
                return 4;
            killed += WIFSIGNALED(status);
            failed += WIFEXITED(status) && WEXITSTATUS(status) != 0;
        }
        alarm(PATIENCE);
    }
    for (int i = 0; i < connections; i++) {
        broken += !send_message(fds[i], 0, (uint32_t)i);
        close(fds[i]);
    }
    for (int i = 0; i < 300; i++) { /* each looks for the dead of a few others */
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    printf("killed %d failed %d broken %d slots %d\n", killed, failed, broken, slots_in_use());
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int a = argc > 2 ? atoi(argv[2]) : 0, b = argc > 3 ? atoi(argv[3]) : 0, c = argc > 4 ? atoi(argv[4]) : 0;
    signal(SIGPIPE, SIG_IGN);
    alarm(PATIENCE);
    if (strcmp(mode, "catch") == 0)
        return catch (a);
    if (strcmp(mode, "throw") == 0)
        return throw(a, b);
    if (strcmp(mode, "sink") == 0)
        return sink(a);
    if (strcmp(mode, "pour") == 0)
        return pour(a, b);
    if (strcmp(mode, "messages") == 0)
        return messages(a);
    if (strcmp(mode, "share") == 0)
        return share(a, b);
    if (strcmp(mode, "forks") == 0)
        return forks(a, b, c);
    return 2;
}
