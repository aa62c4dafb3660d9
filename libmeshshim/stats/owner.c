/* See owner.h. Bits 0 to 21: id (pid_max is at most 2^22); 22 to 53: start time in ticks; 54 to 63:
 * namespace. */
#include "stats/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/process.h"

#define PID_BITS   22
#define START_BITS 32

static int pid_of(uint64_t owner)
{
    return (int)(owner & ((1u << PID_BITS) - 1));
}

static uint32_t start_of(uint64_t owner)
{
    return (uint32_t)(owner >> PID_BITS);
}

static uint64_t namespace_of(uint64_t owner)
{
    return owner >> (PID_BITS + START_BITS);
}

/* The fields after the command's name, which may itself hold spaces and brackets: state is field 3. */
static bool parse(const char *text, char *state, unsigned long *threads, uint32_t *start)
{
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ')
        return false;
    *state = at[2];
    at += 2;
    for (int field = 3; field < 22; field++) {
        if (field == 20)
            *threads = strtoul(at, NULL, 10);
        at = strchr(at, ' ');
        if (!at)
            return false;
        at++;
    }
    *start = (uint32_t)strtoull(at, NULL, 10);
    return true;
}

static bool look(int pid, char *state, unsigned long *threads, uint32_t *start)
{
    char path[32], text[1024];
    ssize_t n;
    int fd;
    if (process_is_locked_in())
        return false;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    fd = libc.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    n = libc.read(fd, text, sizeof text - 1);
    libc.close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return parse(text, state, threads, start);
}

uint64_t owner_self(void)
{
    uint64_t pid = (uint64_t)getpid(), namespace_ = 0;
    unsigned long threads = 0;
    uint32_t start = 0;
    struct stat st;
    char state;
    if (!look((int)pid, &state, &threads, &start))
        start = 0;
    if (!process_is_locked_in() && stat("/proc/self/ns/pid", &st) == 0)
        namespace_ = 1 + st.st_ino % 1023;
    return pid | (uint64_t)start << PID_BITS | namespace_ << (PID_BITS + START_BITS);
}

bool owner_absent(uint64_t owner, uint64_t self)
{
    int pid = pid_of(owner);
    if (namespace_of(owner) != namespace_of(self))
        return false;
    return pid == 0 || (kill(pid, 0) < 0 && errno == ESRCH);
}

bool owner_gone(uint64_t owner, uint64_t self)
{
    unsigned long threads = 0;
    uint32_t start = 0;
    char state = 0;
    if (owner_absent(owner, self))
        return true;
    if (namespace_of(owner) != namespace_of(self) || !look(pid_of(owner), &state, &threads, &start))
        return false;
    if (start_of(owner) != 0 && start != start_of(owner))
        return true;
    /* A zombie; one with threads has only lost the first of them. */
    return (state == 'Z' || state == 'X') && threads <= 1;
}
