/* The process itself becomes another program, and its connection goes on in it. */
#include "trace.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void talk_to_what_it_became(struct side *s, int fd)
{
    meet(s);
    say_send(fd, "again", 0);
    say_recv(fd, 8, MSG_WAITALL);
    say_recv(fd, 10, 0);
    meet(s);
}

void script_exec_self(struct side *s)
{
    int fd = connected(s);
    fflush(stdout);
    if (s->client) {
        exec_program("go_on", fd, "client", NULL);
        fail("exec");
    }
    talk_to_what_it_became(s, fd);
}

/* With threads, one of which waits for bytes: they are gone, the connection is not. */
static _Atomic int waiting;

static void *wait_for_bytes(void *fd)
{
    char byte;
    atomic_store(&waiting, gettid());
    recv(*(int *)fd, &byte, 1, 0);
    return NULL;
}

void script_exec_self_with_threads(struct side *s)
{
    int fd = connected(s);
    fflush(stdout);
    if (s->client) {
        pthread_t thread;
        pthread_create(&thread, NULL, wait_for_bytes, &fd);
        while (atomic_load(&waiting) == 0)
            poll(NULL, 0, 1);
        asleep(atomic_load(&waiting));
        exec_program("go_on", fd, "client", NULL);
        fail("exec");
    }
    talk_to_what_it_became(s, fd);
}

/* From image to image to image. */
void script_exec_chain(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        say_recv(fd, 6, MSG_WAITALL);
        say_recv(fd, 6, MSG_WAITALL);
    } else {
        pid_t child = start_program("chain", fd, "5", NULL);
        close(fd);
        finish(child);
    }
    meet(s);
}
