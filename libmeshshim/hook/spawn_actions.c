/* See spawn_actions.h. */
#include "hook/spawn_actions.h"

#include "base/banned.h"
#include "base/lock.h"
#include "hook/entry.h"

enum { MOST = 32 };

static struct {
    const void *actions;
    const struct conn *conn;
} passing[MOST];
static bool overflowed; /* more at once than are remembered: any may be one of them */
static struct lock lock;

static void remember(const void *actions, const struct conn *conn)
{
    int place = -1;
    if (lock_take(&lock) == LOCK_MINE) {
        overflowed = true;
        return;
    }
    for (int i = 0; i < MOST; i++)
        if (!passing[i].actions || (passing[i].actions == actions && passing[i].conn == conn))
            place = i;
    if (place < 0) {
        overflowed = true;
    } else {
        passing[place].actions = actions;
        passing[place].conn = conn;
    }
    lock_release(&lock);
}

static void forget(const void *actions)
{
    if (lock_take(&lock) == LOCK_MINE)
        return;
    for (int i = 0; i < MOST; i++)
        if (passing[i].actions == actions)
            passing[i].actions = NULL;
    lock_release(&lock);
}

bool spawn_actions_carry(const void *actions, const struct conn *conn)
{
    bool found = overflowed;
    if (!actions || lock_take(&lock) == LOCK_MINE)
        return actions != NULL;
    for (int i = 0; i < MOST && !found; i++)
        found = passing[i].actions == actions && (!conn || passing[i].conn == conn);
    lock_release(&lock);
    return found;
}

void spawn_actions_after_fork(void)
{
    lock = (struct lock){ 0 };
}

int hook_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
    const struct conn *conn = protected_conn(fd);
    if (conn)
        remember(actions, conn);
    return libc.posix_spawn_file_actions_adddup2(actions, fd, to);
}

int hook_posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    forget(actions);
    return libc.posix_spawn_file_actions_destroy(actions);
}
