/*
 * What a script may use.
 *
 * A script is one function that two processes run in lock step, the client and the server. Each prints a line
 * a step; the whole must be the same with and without meshshim. Print only what plain TCP itself promises:
 * where the kernel's timing decides a number, print what must hold of it.
 */
#ifndef TRACE_H
#define TRACE_H

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct side {
    bool client;
    int control;                /* to the other process: a Unix-domain stream pair */
    int listener;               /* the server's, -1 in the client */
    struct sockaddr_in address; /* where the server listens */
};

struct script {
    const char *name;
    void (*run)(struct side *side);
};
extern const struct script scripts[];
extern const size_t script_count;

enum {
    SOON = 8000,  /* milliseconds given to something that must happen */
    NOTHING = 30, /* milliseconds in which nothing may happen */
    TICK = 15,    /* milliseconds between two timer signals */
};

/* side.c: the two processes and their connection. */
int run_side(const struct script *script, bool client, int control);
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void meet(struct side *side); /* both get here before either goes on */
void tell(struct side *side, const void *data, size_t n);
void hear(struct side *side, void *data, size_t n);
int connected(struct side *side); /* an established connection over which bytes went both ways */
int connected_nonblocking(struct side *side);
int accepted(struct side *side); /* accept on the listener */
int tcp_socket(int flags);
int listen_on(struct sockaddr_in *address, int backlog);
int connect_to_self(int *listener);          /* a client of this very thread's */
int bound_port(struct sockaddr_in *address); /* a socket that holds a port on which nobody listens */
void settle(int fd);                         /* until the peer's kernel has all that this one sent */
short await(int fd, short events);           /* until poll says one of events (or ERR, HUP) */
void deliver(struct side *side, int fd,
             const char *text);            /* sends when the peer is ready for it, until it is there */
void delivered(struct side *side, int fd); /* the peer's part: readable now */
void let_peer_send(struct side *side);     /* the same without looking */
void serve_one(struct side *side);         /* accept, then one message each way */
void ask_one(struct side *side, int fd);   /* its client */
void ask_when_made(int fd);                /* the same, of one that is being connected */
void exchange(struct side *side, int fd);  /* one message each way, the client's first */
void another(struct side *side);           /* another connection, from its first step to its end */
void finish(pid_t child);                  /* until it has ended, and how */
void nonblocking(int fd, bool on);
void asleep(int thread); /* until that thread of this process waits in the kernel */
int open_descriptors(
    int first); /* how many, from that number on: what the library has for itself is among them */
int crowd(
    struct side *side); /* the listener has room for nobody else; the client's filler, -1 in the server */
void disperse(struct side *side); /* both: everybody who waits is let go, and there is room again */
void make_room(struct side *side, int filler); /* both: the filler alone is let go, who waits stays */
void serve_until_told(
    struct side *side); /* accepts, answers one message, closes; until the client tells one byte */
void small_buffers(int fd);

/* say.c: a line a step. Every say_… performs the call, prints it with its result, and keeps errno. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
long said(const char *call, long result); /* "call = 5" or "call = -1 EAGAIN" */
ssize_t say_send(int fd, const char *text, int flags);
ssize_t say_recv(int fd, size_t n, int flags);
ssize_t say_read(int fd, size_t n);
ssize_t say_write(int fd, const char *text);
void say_bytes(const char *call, ssize_t result, const void *data);
void say_address(const char *call, int result, const struct sockaddr_in *address, const struct side *side);
short say_poll(int fd, short events, int timeout);
int say_epoll(int ep, int timeout);
void say_events(const char *call, int n, const struct epoll_event *events);
void say_so_error(int fd);
void say_option(int fd, int level, int name, const char *label);
int say_epoll_ctl(int ep, int op, int fd, uint32_t events, uint64_t data);
int set_of(int fd, uint32_t events, uint64_t data); /* an epoll set with this one in it */
void say_close(int fd);
int say_connect(int fd, const struct sockaddr_in *address);
void say_names(int fd, const struct side *side); /* getpeername, getsockname */
void say_all(int fd);                            /* everything until the end, in one line */
void say_signals(void);                          /* SIGPIPE and SIGALRM since the last time */
uint32_t checksum(const void *data, size_t n);

/* bulk.c: content that can be told apart wherever it is cut. */
struct stream {
    uint64_t at;
    uint32_t seed, sum;
};
struct stream stream_of(uint32_t seed);
void stream_make(struct stream *stream, void *data, size_t n); /* the next n bytes; does not advance */
void stream_sent(struct stream *stream, size_t n);
bool stream_got(struct stream *stream, const void *data,
                size_t n); /* advances; false: not the expected bytes */
void stream_recv(struct stream *stream, int fd,
                 uint64_t total); /* blocking, up to that byte and no further */
void send_stream(int fd, uint32_t seed, size_t total, size_t piece); /* blocking or not, waits by poll */
void recv_stream(int fd, uint32_t seed, size_t total, size_t piece); /* prints one line */
int file_of(size_t size);                                            /* a temporary file with stream 33 */
size_t fill(int fd, struct stream *stream); /* writes until the socket is full, and stays so */

/* waits.c: calls that wait for something to read, between wait_begin and wait_end. */
struct wait_call {
    const char *name;
    long (*run)(int fd);
    bool restarts; /* after a handler with SA_RESTART: signal(7) */
};
extern const struct wait_call wait_calls[];
extern const size_t wait_call_count;
void wait_begin(void);
void wait_end(void);

/* programs.c: this program again, as another one that continues on an inherited descriptor. */
int run_program(char **arguments);
const char *self_path(void);
void exec_program(const char *name, int fd, const char *first,
                  const char *second); /* comes back only where exec fails */
pid_t start_program(const char *name, int fd, const char *first, const char *second); /* in a child */
struct image {                                                                        /* what exec takes */
    const char *path;
    char *arguments[5], name[16], number[12];
};
void image_of(struct image *image, const char *name, int fd);

/* limits.c */
void set_limit(int what, rlim_t soft);

/* passing.c */
void pair_of(int ends[2]);                /* Unix sockets */
void pass(int to, const int *fds, int n); /* descriptors, with one byte */
int take_one(int from);

/* handlers.c: `call`, in whose first `until` instructions a signal's handler runs `handler` after each `n`. */
void interrupt_everywhere(void (*call)(void), void (*handler)(void), unsigned n, unsigned until);

/* signals.c */
void tick_start(int flags); /* SIGALRM every TICK, sigaction flags */
void tick_stop(void);
extern volatile sig_atomic_t ticks, pipes;
extern void (*volatile on_tick)(void);

#endif
