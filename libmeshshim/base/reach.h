/* What a program's pointer leads to, before we follow it: the kernel answers EFAULT where we would crash. */
#ifndef MESHSHIM_REACH_H
#define MESHSHIM_REACH_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "base/process.h"
#include "base/raw.h"

/*
 * An address in the first page, or in the kernel's half ((void *)-1), is the usual bad pointer; told without asking anybody. The uppermost byte may
 * be a tag (aarch64).
 */
static inline bool is_nowhere(const void *pointer)
{
    return (int64_t)((uint64_t)(uintptr_t)pointer << 8) < (int64_t)4096 << 8;
}

/* The kernel takes a signal mask from there before it looks at what to do with it, which is nothing that it knows. */
static inline bool is_readable_word(uintptr_t at)
{
    enum { NOTHING = -1, MASK = 8 };
    uintptr_t word = at / MASK * MASK;
    return raw_syscall(SYS_rt_sigprocmask, NOTHING, (long)word, 0, MASK, 0, 0) != -EFAULT;
}

/*
 * Both ends of `n` bytes, which span no more than two pages. A system call or two: not for what is called for each message, nor in a
 * sandbox, where that call may be forbidden.
 */
static inline bool is_readable(const void *pointer, size_t n)
{
    uintptr_t at = (uintptr_t)pointer;
    if (is_nowhere(pointer) || process_is_locked_in())
        return !is_nowhere(pointer);
    return is_readable_word(at) &&
           (n < 2 || at / 4096 == (at + n - 1) / 4096 || is_readable_word(at + n - 1));
}

#endif
