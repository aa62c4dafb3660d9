/* seccomp(2), which libc has no function for: what libc's syscall() leads to. */
#ifndef MESHSHIM_SANDBOX_H
#define MESHSHIM_SANDBOX_H

long sandbox_seccomp(long operation, long flags, long filter, long d, long e, long f);

#endif
