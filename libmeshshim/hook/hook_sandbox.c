/*
 * seccomp. A program that locks itself in while it holds a protected connection (sshd's child before authentication) means to go on reading
 * and writing it, and its filter knows by which calls; ours are others: recvfrom for read, sendto for write, and a few that only
 * look or wait. They are allowed in front of its own rules, with arguments that reach nothing which the program could not reach by
 * those it has: no other address, no descriptor that it does not have, no memory that can be run. See SECURITY.md.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/banned.h"
#include "base/process.h"
#include "conn/mesh.h"
#include "conn/stream/stream.h"
#include "hook/entry.h"
#include "hook/sandbox.h"
#include "hook/start.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* A call, and what one or two of its arguments must be: `value` in the bits of `mask`; 0 asks nothing. */
struct rule {
    int number;
    struct {
        int argument;
        uint32_t mask, value;
    } must[2];
};

#define ANY                                                                                                  \
    {                                                                                                        \
        0, 0, 0                                                                                              \
    }
#define IS(n, v)                                                                                             \
    {                                                                                                        \
        n, 0xffffffff, v                                                                                     \
    }

static const struct rule rules[] = {
    /* bytes of connected sockets: the address is NULL, in both halves */
    { SYS_recvfrom, { IS(4, 0), ANY } },
    { SYS_sendto, { IS(4, 0), ANY } },
    { SYS_shutdown, { ANY, ANY } },
    /* looking at them */
    { SYS_ioctl, { IS(1, FIONREAD), ANY } },
    { SYS_ioctl, { IS(1, SIOCOUTQ), ANY } },
    { SYS_getsockopt, { ANY, ANY } },
    { SYS_setsockopt, { IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY) } },
    { SYS_setsockopt, { IS(1, SOL_SOCKET), IS(2, SO_RCVLOWAT) } },
    { SYS_setsockopt, { IS(1, SOL_SOCKET), IS(2, SO_SNDBUF) } },
    { SYS_setsockopt, { IS(1, SOL_TLS), ANY } }, /* a change of keys */
    { SYS_fcntl, { IS(1, F_GETFL), ANY } },
    { SYS_fcntl, { IS(1, F_GETFD), ANY } },
    { SYS_fcntl, { IS(1, F_GETLK), ANY } },
    { SYS_fcntl, { IS(1, F_SETLK), ANY } },
/* waiting */
#ifdef SYS_poll
    { SYS_poll, { ANY, ANY } },
#endif
    { SYS_ppoll, { ANY, ANY } },
    { SYS_futex, { ANY, ANY } },
    { SYS_rt_sigprocmask, { ANY, ANY } },
    /* who and when */
    { SYS_getpid, { ANY, ANY } },
    { SYS_gettid, { ANY, ANY } },
    { SYS_kill, { IS(1, 0), ANY } },
    { SYS_clock_gettime, { ANY, ANY } },
    { SYS_getrandom, { ANY, ANY } },
    /* memory */
    { SYS_brk, { ANY, ANY } },
    { SYS_mmap, { { 2, PROT_EXEC, 0 }, ANY } },
    { SYS_munmap, { ANY, ANY } },
    { SYS_madvise, { ANY, ANY } },
};

/*
 * Where the kernel seals the records, a goodbye takes sendmsg, and a record without data recvmsg. What these could reach stands in memory, where a
 * filter does not look: they are allowed for the numbers of such connections alone.
 */
enum { NUMBERS = 16 };
static const int message_calls[] = { SYS_sendmsg, SYS_recvmsg };
enum { MESSAGE_CALLS = sizeof message_calls / sizeof message_calls[0] };

struct numbers {
    int fd[NUMBERS], count;
};

static void add_number(struct conn *conn, void *context)
{
    struct numbers *numbers = context;
    if (conn_state(conn) == CONN_OPEN && stream_layer(conn) != STATS_LAYER_USER && numbers->count < NUMBERS)
        numbers->fd[numbers->count++] = atomic_load(&conn->fd);
}

enum {
    RULES = sizeof rules / sizeof rules[0],
    MOST_OF_A_RULE = 3 + 2 * 5,
    FRONT = 3 + (RULES + NUMBERS * MESSAGE_CALLS) * MOST_OF_A_RULE
};

static struct sock_filter load(size_t offset)
{
    return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static size_t argument_at(int n)
{
    return offsetof(struct seccomp_data, args) + (size_t)n * sizeof(uint64_t); /* both are little-endian */
}

/* Its code at `out`; how long it is. What does not hold leads behind it. */
static size_t compile(const struct rule *rule, struct sock_filter *out)
{
    size_t n = 0, tests[5], test_count = 0;
    out[n++] = load(offsetof(struct seccomp_data, nr));
    tests[test_count++] = n;
    out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)rule->number, 0, 0);
    for (int i = 0; i < 2; i++) {
        if (rule->must[i].mask == 0)
            continue;
        out[n++] = load(argument_at(rule->must[i].argument));
        out[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule->must[i].mask);
        tests[test_count++] = n;
        out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->must[i].value, 0, 0);
        if (rule->must[i].mask != 0xffffffff)
            continue;
        out[n++] = load(argument_at(rule->must[i].argument) + sizeof(uint32_t));
        tests[test_count++] = n;
        out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0);
    }
    out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < test_count; i++)
        out[tests[i]].jf = (uint8_t)(n - tests[i] - 1);
    return n;
}

static size_t compile_messages(struct sock_filter *out)
{
    struct numbers numbers = { .count = 0 };
    size_t n = 0;
    conn_each(add_number, &numbers);
    for (int i = 0; i < numbers.count; i++) {
        for (size_t call = 0; call < MESSAGE_CALLS; call++) {
            struct rule rule = { message_calls[call], { { 0, 0x7fffffff, (uint32_t)numbers.fd[i] }, ANY } };
            n += compile(&rule, out + n);
        }
    }
    return n;
}

/* Ours, then the program's; NULL when out of memory. */
static struct sock_filter *in_front(const struct sock_fprog *own, size_t *length)
{
    struct sock_filter *all = malloc((FRONT + own->len) * sizeof *all);
    size_t n = 3;
    if (!all)
        return NULL;
    for (size_t i = 0; i < RULES; i++)
        n += compile(&rules[i], all + n);
    n += compile_messages(all + n);
    all[0] = load(offsetof(struct seccomp_data, arch));
    all[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    all[2] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(n - 3));
    memcpy(all + n, own->filter, own->len * sizeof *all);
    *length = n + own->len;
    return all;
}

static void look(struct conn *conn, void *any)
{
    if (conn_state(conn) >= CONN_CONNECTING && conn_state(conn) <= CONN_OPEN)
        *(bool *)any = true;
}

static bool holds_connections(void)
{
    bool any = false;
    if (mesh_state == MESH_ON)
        conn_each(look, &any);
    return any;
}

/* The filter to install instead of `own`, which may be the same; to be freed where it is not. */
static const struct sock_fprog *widened(const struct sock_fprog *own, struct sock_fprog *wide)
{
    size_t length;
    if (is_nowhere(own) || own->len == 0 || is_nowhere(own->filter) || !holds_connections())
        return own;
    wide->filter = in_front(own, &length);
    if (!wide->filter)
        return own;
    wide->len = (unsigned short)length;
    if (length <= BPF_MAXINSNS)
        return wide;
    free(wide->filter);
    return own;
}

/* From here on what would be forbidden is left alone: the log's file, other processes' state in /proc, the admin socket's name. */
static long locked_in(long result, const struct sock_fprog *own, const struct sock_fprog *installed)
{
    int saved = errno;
    if (installed != own)
        free(installed->filter);
    if (result >= 0)
        process_lock_in(installed != own);
    errno = saved;
    return result;
}

int hook_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    const struct sock_fprog *own = (const void *)b, *used;
    struct sock_fprog wide;
    if (option != PR_SET_SECCOMP || a != SECCOMP_MODE_FILTER || mesh_state == MESH_OFF)
        return libc.prctl(option, a, b, c, d);
    start_before_lock_in(false);
    used = widened(own, &wide);
    return (int)locked_in(libc.prctl(option, a, (unsigned long)used, c, d), own, used);
}

long sandbox_seccomp(long operation, long flags, long filter, long d, long e, long f)
{
    const struct sock_fprog *own = (const void *)filter, *used;
    struct sock_fprog wide;
    if (operation != SECCOMP_SET_MODE_FILTER)
        return libc.syscall(SYS_seccomp, operation, flags, filter, d, e, f);
    start_before_lock_in(flags & SECCOMP_FILTER_FLAG_TSYNC);
    used = widened(own, &wide);
    return locked_in(libc.syscall(SYS_seccomp, operation, flags, (long)used, d, e, f), own, used);
}
