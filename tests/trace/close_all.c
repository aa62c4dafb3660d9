/* A process that closes everything, and goes on. */
#include "trace.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

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

/* Its own descriptors are below; what is above is none of its business, and stays. */
enum { ABOVE = 64 };

static void closes_everything(struct side *s, void (*close_all)(int first))
{
    int fd = connected(s), kept = s->listener, others;
    exchange(s, fd);
    meet(s);
    if (kept >= 0)
        kept = dup2(kept, s->control + 1);
    others = open_descriptors(ABOVE);
    close_all(s->control + 1 + (kept >= 0));
    say("as many of others %d", open_descriptors(ABOVE) == others);
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
        if (child == 0) {
            int own;
            closefrom(3);
            own = tcp_socket(0);
            connect(own, (struct sockaddr *)&s->address, sizeof s->address);
            say_send(own, "question", 0);
            say_recv(own, 6, MSG_WAITALL);
            _exit(0);
        }
        finish(child);
    } else {
        int own = accepted(s);
        exchange(s, own);
    }
    meet(s);
    exchange(s, fd);
    meet(s);
}
