/* See holders.h. */
#include "conn/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/banned.h"
#include "base/libc.h"

enum { UNBORN = -1 };

/* A zombie still answers signals, but its descriptors are closed. */
static bool is_zombie(pid_t pid)
{
    char path[32], text[256];
    const char *after_name;
    ssize_t n;
    int fd;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = libc.read(fd, text, sizeof text - 1);
    libc.close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    after_name = strrchr(text, ')');
    return after_name && after_name[1] == ' ' && strchr("ZX", after_name[2]);
}

static bool lives(pid_t pid)
{
    if (pid == UNBORN)
        return true;
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return false;
    return !is_zombie(pid);
}

static bool put(struct shared *shared, pid_t old, pid_t new)
{
    for (int i = 0; i < HOLDERS; i++) {
        if (shared->holder[i] == old) {
            shared->holder[i] = new;
            return true;
        }
    }
    return false;
}

static bool has(const struct shared *shared, pid_t pid)
{
    for (int i = 0; i < HOLDERS; i++)
        if (shared->holder[i] == pid)
            return true;
    return false;
}

static void drop_dead(struct shared *shared)
{
    for (int i = 0; i < HOLDERS; i++)
        if (shared->holder[i] != 0 && !lives(shared->holder[i]))
            shared->holder[i] = 0;
}

void holders_join(struct shared *shared, pid_t pid)
{
    lock_take(&shared->holders_lock);
    if (!put(shared, 0, pid)) {
        drop_dead(shared);
        if (!put(shared, 0, pid))
            shared->crowded = true;
    }
    lock_release(&shared->holders_lock);
}

bool holders_none(struct shared *shared)
{
    for (int i = 0; i < HOLDERS; i++)
        if (shared->holder[i] != 0)
            return false;
    return !shared->crowded;
}

bool holders_leave(struct shared *shared, pid_t pid)
{
    bool none;
    lock_take(&shared->holders_lock);
    put(shared, pid, 0);
    drop_dead(shared);
    none = holders_none(shared);
    lock_release(&shared->holders_lock);
    return none;
}

void holders_expect_child(struct shared *shared, pid_t unused)
{
    (void)unused;
    holders_join(shared, UNBORN);
}

/* Parent and child both say so, whoever runs first. */
void holders_child_is(struct shared *shared, pid_t child)
{
    lock_take(&shared->holders_lock);
    if (!has(shared, child))
        put(shared, UNBORN, child);
    lock_release(&shared->holders_lock);
}

void holders_no_child(struct shared *shared, pid_t unused)
{
    (void)unused;
    lock_take(&shared->holders_lock);
    put(shared, UNBORN, 0);
    lock_release(&shared->holders_lock);
}
