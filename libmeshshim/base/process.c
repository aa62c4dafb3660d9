/* See process.h. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"

enum { ID_BITS = 22, MARK_BITS = 9 }; /* pid_max is at most 2^22 */

const volatile int *process_mark;
static volatile int *marker; /* the same, to write */
static pid_t self;
static _Atomic pid_t marked_self; /* 0: not asked for yet */
static bool locked_in, unprovided;
static _Atomic unsigned namespace_mark; /* 0: not asked for yet */
static unsigned mark_before;            /* of this process before a fork, which is its parent */

void process_init(void)
{
    self = getpid();
    marked_self = 0;
    if (namespace_mark)
        mark_before = namespace_mark;
    namespace_mark = 0;
    if (!marker) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            return;
        madvise(page, 4096, MADV_WIPEONFORK);
        process_mark = marker = page;
    }
    *marker = 1;
}

/* The first process of a namespace has number 1: it is not where its parent is. */
static unsigned guessed_mark(void)
{
    return getpid() == 1 ? mark_before + 1 : mark_before;
}

unsigned process_namespace(void)
{
    unsigned mark = namespace_mark;
    int saved = errno;
    struct stat st;
    if (mark)
        return mark;
    if (!locked_in && stat("/proc/self/ns/pid", &st) == 0)
        mark = (unsigned)((uint64_t)st.st_ino * 0x9e3779b97f4a7c15u >> (64 - MARK_BITS));
    else
        mark = guessed_mark() & ((1u << MARK_BITS) - 1);
    errno = saved;
    mark = mark ? mark : 1;
    namespace_mark = mark;
    return mark;
}

static pid_t marked(pid_t id)
{
    return (pid_t)(process_namespace() << ID_BITS) | id;
}

pid_t process_id(void)
{
    if (process_is_unseen_child())
        return marked(getpid());
    if (marked_self == 0)
        marked_self = marked(self);
    return marked_self;
}

bool process_is_first_thread(void)
{
    return gettid() == (process_is_unseen_child() ? getpid() : self);
}

bool process_is_borrowed(void)
{
    return marker && *marker != 0 && getpid() != self;
}

/* It still answers signals, until its parent looks. */
static bool is_zombie(pid_t id)
{
    char path[32], text[256];
    const char *after_name;
    ssize_t n;
    int fd;
    if (locked_in)
        return false;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    fd = (int)libc.syscall(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
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

bool process_is_gone(pid_t id)
{
    unsigned mark = (unsigned)id >> ID_BITS;
    if (mark && mark != process_namespace())
        return true;
    id &= (1 << ID_BITS) - 1;
    return (kill(id, 0) != 0 && errno == ESRCH) || is_zombie(id);
}

void process_lock_in(bool provided)
{
    locked_in = true;
    unprovided |= !provided;
}

bool process_is_unprovided(void)
{
    return unprovided;
}

bool process_is_locked_in(void)
{
    return locked_in;
}
