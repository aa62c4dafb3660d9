/* Libraries that are loaded, use connections, and are unloaded again; and what talks at the very end. */
#include "trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

typedef long sends(int fd, const char *text, size_t n);
typedef long receives(int fd, char *text, size_t n);

/* It lies beside this program. */
static void *load(int mode)
{
    char path[4200], self[4096];
    void *library;
    snprintf(self, sizeof self, "%s", self_path());
    snprintf(path, sizeof path, "%s/plugin.so", dirname(self));
    library = dlopen(path, mode);
    if (!library)
        fail("dlopen: %s", dlerror());
    return library;
}

static long send_by(void *library, int fd, const char *text)
{
    return ((sends *)dlsym(library, "plugin_send"))(fd, text, strlen(text));
}

static long receive_by(void *library, int fd, char *text, size_t n)
{
    return ((receives *)dlsym(library, "plugin_receive"))(fd, text, n);
}

/* Loaded and unloaded again and again, in every mode: the connection outlives each. */
void script_dlclose_between(struct side *s)
{
    static const int modes[] = { RTLD_NOW, RTLD_LAZY, RTLD_NOW | RTLD_GLOBAL, RTLD_NOW | RTLD_DEEPBIND };
    int fd = connected(s);
    for (int i = 0; i < 8; i++) {
        void *library = load(modes[i % 4]);
        char text[10] = { 0 };
        if (s->client) {
            said("sent by the library", send_by(library, fd, "question"));
            said("dlclose", dlclose(library));
            say_recv(fd, 6, MSG_WAITALL);
        } else {
            say_recv(fd, 3, MSG_WAITALL);
            say_bytes("received by the library", receive_by(library, fd, text, 5), text);
            said("dlclose", dlclose(library));
            say_send(fd, "answer", 0);
        }
    }
    meet(s);
}

struct user {
    int fd, times;
    bool good;
};

static void *use_library(void *argument)
{
    struct user *user = argument;
    user->good = true;
    for (int i = 0; i < user->times; i++) {
        void *library = load(RTLD_NOW);
        char byte = 'x', back = 0;
        user->good = user->good && ((sends *)dlsym(library, "plugin_send"))(user->fd, &byte, 1) == 1 &&
                     receive_by(library, user->fd, &back, 1) == 1 && back == 'x';
        dlclose(library);
    }
    return NULL;
}

/* In several threads, on a connection each. */
void script_dlclose_threads(struct side *s)
{
    enum { THREADS = 3, TIMES = 30 };
    int fds[THREADS];
    for (int i = 0; i < THREADS; i++)
        fds[i] = connected(s);
    if (s->client) {
        struct user users[THREADS];
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            users[i] = (struct user){ fds[i], TIMES, false };
            pthread_create(&threads[i], NULL, use_library, &users[i]);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        say("good %d %d %d", users[0].good, users[1].good, users[2].good);
    } else {
        struct pollfd p[THREADS];
        char byte;
        for (int i = 0; i < THREADS; i++)
            p[i] = (struct pollfd){ fds[i], POLLIN, 0 };
        for (int served = 0; served < THREADS * TIMES;) {
            if (poll(p, THREADS, SOON) <= 0)
                fail("after %d", served);
            for (int i = 0; i < THREADS; i++) {
                if (!p[i].revents || recv(fds[i], &byte, 1, MSG_DONTWAIT) != 1)
                    continue;
                send(fds[i], &byte, 1, 0);
                served++;
            }
        }
        say("served");
    }
    meet(s);
}

/* ---- the end of a process ---- */

static int last_fd;

static void last_words(void)
{
    send(last_fd, "last words", 10, 0);
}

static void ends(struct side *s, void (*end)(void))
{
    int fd = connected(s);
    if (s->client) {
        say_all(fd);
    } else {
        pid_t child = fork();
        int status = -1;
        if (child == 0) {
            last_fd = fd;
            atexit(last_words);
            send(fd, "first, ", 7, 0);
            end();
        }
        close(fd);
        waitpid(child, &status, 0);
        say("ended with %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    meet(s);
}

static void by_exit(void)
{
    exit(3);
}

/* A thread ends the process while another one waits on the connection. */
static void *wait_for_ever(void *unused)
{
    char byte;
    recv(last_fd, &byte, 1, 0);
    return unused;
}

static void *exit_in_thread(void *unused)
{
    (void)unused;
    exit(3);
}

static void by_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, exit_in_thread, NULL);
    wait_for_ever(NULL);
}

void script_exit_talks(struct side *s)
{
    ends(s, by_exit);
}

void script_exit_talks_in_thread(struct side *s)
{
    ends(s, by_thread);
}
