/* fork while other threads send, read and connect. */
#include "trace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

enum { MUCH = 6 * 1024 * 1024, FORKS = 8 };

static void *send_much(void *argument)
{
    send_stream(*(int *)argument, 81, MUCH, 50000);
    return NULL;
}

/* Children are made and end while another thread sends. */
static void fork_while_sending(struct side *s, pid_t (*make)(void))
{
    int fd = connected(s);
    if (s->client) {
        pthread_t thread;
        int bad = 0;
        pthread_create(&thread, NULL, send_much, &fd);
        for (int i = 0; i < FORKS; i++) {
            pid_t child = make();
            int status = -1;
            if (child == 0) {
                if (i % 2)
                    close(fd);
                _exit(i);
            }
            waitpid(child, &status, 0);
            bad += !WIFEXITED(status) || WEXITSTATUS(status) != i;
        }
        pthread_join(thread, NULL);
        say("children that did not end well: %d", bad);
        say_send(fd, "tail", 0);
        say_close(fd);
    } else {
        recv_stream(fd, 81, MUCH, 0);
        say_recv(fd, 4, MSG_WAITALL);
        say_recv(fd, 4, 0);
    }
    meet(s);
}

void script_fork_while_sending(struct side *s)
{
    fork_while_sending(s, fork);
}

void script_fork_underscore_while_sending(struct side *s)
{
    fork_while_sending(s, _Fork);
}

static _Atomic int reader;

static void *read_ten(void *argument)
{
    atomic_store(&reader, gettid());
    say_recv(*(int *)argument, 10, MSG_WAITALL);
    return NULL;
}

/* A thread of the parent waits for bytes; the child writes on the same connection, and makes another one. */
void script_fork_while_reading(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        pthread_t thread;
        pid_t child;
        pthread_create(&thread, NULL, read_ten, &fd);
        while (atomic_load(&reader) == 0)
            poll(NULL, 0, 1);
        asleep(atomic_load(&reader));
        child = fork();
        if (child == 0) {
            int another = tcp_socket(0);
            say_connect(another, &s->address);
            say_send(another, "on another one", 0);
            say_send(fd, "on the same", 0);
            _exit(0);
        }
        finish(child);
        meet(s);
        pthread_join(thread, NULL);
    } else {
        int another = accepted(s);
        say_recv(another, 14, MSG_WAITALL);
        say_recv(fd, 11, MSG_WAITALL);
        meet(s);
        say_send(fd, "0123456789", 0);
    }
    meet(s);
}

/* Threads connect and talk while children are made that do the same. */
static struct sockaddr_in server;
static _Atomic bool over;
static _Atomic int bad;

static bool talk(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte = 't', back = 0;
    bool good = fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof server) == 0 &&
                send(fd, &byte, 1, 0) == 1 && recv(fd, &back, 1, 0) == 1 && back == byte;
    close(fd);
    return good;
}

static void *keep_talking(void *unused)
{
    (void)unused;
    while (!atomic_load(&over))
        if (!talk())
            atomic_fetch_add(&bad, 1);
    return NULL;
}

void script_fork_while_connecting(struct side *s)
{
    if (s->client) {
        pthread_t threads[2];
        int ended_badly = 0;
        server = s->address;
        for (int i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, keep_talking, NULL);
        for (int i = 0; i < FORKS; i++) {
            pid_t child = i % 2 ? _Fork() : fork();
            int status = -1;
            if (child == 0)
                _exit(talk() && talk() ? 0 : 1);
            waitpid(child, &status, 0);
            ended_badly += status != 0;
        }
        atomic_store(&over, true);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        say("threads failed %d, children failed %d", atomic_load(&bad), ended_badly);
        tell(s, ".", 1);
    } else {
        serve_until_told(s);
    }
    meet(s);
}
