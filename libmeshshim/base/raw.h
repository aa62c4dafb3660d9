/* Below libc: a system call as the kernel answers it, and how a call of symbols.def fails that has none. */
#ifndef MESHSHIM_RAW_H
#define MESHSHIM_RAW_H

/* -errno where it fails; errno is not touched. */
static inline long raw_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    result = x0;
#else
#error "meshshim knows the system call convention of x86-64 and aarch64 only"
#endif
    return result;
}

/* No pointer, or nothing read; -1 of all others. */
/* clang-format off */
#define FAILS_WITH_0(ret)                                                                                    \
    _Generic((ret *)NULL, void **: 1, char **: 1, wchar_t **: 1, FILE **: 1, DIR **: 1,                      \
             struct hostent **: 1, size_t *: 1, default: 0)
/* clang-format on */

#endif
