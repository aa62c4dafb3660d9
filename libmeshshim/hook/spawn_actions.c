/* See spawn_actions.h. */
#include "hook/spawn_actions.h"

#include "base/banned.h"
#include "base/lock.h"
#include "hook/entry.h"

enum { MOST = 32 };

static const posix_spawn_file_actions_t *passing[MOST];
static bool overflowed; /* more at once than are remembered: any may be one of them */
static struct lock lock;

static const posix_spawn_file_actions_t **find(const posix_spawn_file_actions_t *actions)
{
    for (int i = 0; i < MOST; i++)
        if (passing[i] == actions)
            return &passing[i];
    return NULL;
}

static void change(const posix_spawn_file_actions_t *from, const posix_spawn_file_actions_t *to)
{
    const posix_spawn_file_actions_t **place;
    if (lock_take(&lock) == LOCK_MINE) {
        overflowed = true;
        return;
    }
    place = find(from);
    if (place)
        *place = to;
    else
        overflowed |= to != NULL;
    lock_release(&lock);
}

bool spawn_actions_pass(const posix_spawn_file_actions_t *actions)
{
    bool found;
    if (!actions || lock_take(&lock) == LOCK_MINE)
        return actions != NULL;
    found = overflowed || find(actions);
    lock_release(&lock);
    return found;
}

int hook_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
    if (protected_conn(fd) && !find(actions))
        change(NULL, actions);
    return libc.posix_spawn_file_actions_adddup2(actions, fd, to);
}

int hook_posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    change(actions, NULL);
    return libc.posix_spawn_file_actions_destroy(actions);
}
