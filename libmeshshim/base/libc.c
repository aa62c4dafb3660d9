/* The only file that looks symbols up. See libc.h. */
#include "base/libc.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/raw.h"

/* A system call without libc: an allocator that is initialised while we bind may read or open a file. */
static long raw_call(long number, long a, long b, long c, long d, long e, long f, long unused)
{
    long result;
    (void)unused;
    if (number < 0) {
        errno = ENOSYS;
        return -1;
    }
    result = raw_syscall(number, a, b, c, d, e, f);
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

enum { UNBOUND, BINDING, BOUND };
static _Atomic int binding;
static __thread int binding_here;

/*
 * Stand-ins, until all is bound. What has a system call is that system call: an allocator that is being initialised opens and reads
 * files, and looking symbols up may allocate, where it would wait for itself. The others bind, then call the real thing.
 */
#define FIRST7(a, b, c, d, e, f, g, ...)                                                                     \
    (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f), (long)(g)
#define RAW_ARGS(...)          FIRST7(__VA_ARGS__ __VA_OPT__(, ) 0, 0, 0, 0, 0, 0, 0)
#define RAW(ret, number, args) (ret)((number) < 0 && FAILS_WITH_0(ret) ? 0 : raw_call(number, RAW_ARGS args))
#define SYM(ret, name, params, args, number)                                                                 \
    static ret early_##name params                                                                           \
    {                                                                                                        \
        if (binding_here || (number) >= 0)                                                                   \
            return RAW(ret, number, args);                                                                   \
        libc_bind();                                                                                         \
        return libc.name args;                                                                               \
    }
#include "base/symbols.def"
#undef SYM

struct libc_calls libc = {
#define SYM(ret, name, params, args, number) .name = early_##name,
#include "base/symbols.def"
#undef SYM
};

/* Names that an older libc may lack keep a stand-in that answers ENOSYS, as the kernel would. */
#define SYM(ret, name, params, args, number)                                                                 \
    static ret absent_##name params                                                                          \
    {                                                                                                        \
        return RAW(ret, number, args);                                                                       \
    }
#include "base/symbols.def"
#undef SYM

struct binding {
    const char *name;
    size_t offset;
    void *absent;
};

static const struct binding bindings[] = {
#define SYM(ret, name, params, args, number)                                                                 \
    { #name, offsetof(struct libc_calls, name), (void *)absent_##name },
#include "base/symbols.def"
#undef SYM
};

/* Every libc has it. Looked for behind us, like all the others. */
static bool found_connect;

bool libc_is_in_front(void)
{
    return !found_connect;
}

static void bind_all(void)
{
    found_connect = dlsym(RTLD_NEXT, "connect") != NULL;
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++) {
        void *found = dlsym(RTLD_NEXT, bindings[i].name);
        void **slot = (void **)(void *)((char *)&libc + bindings[i].offset);
        __atomic_store_n(slot, found ? found : bindings[i].absent, __ATOMIC_RELEASE);
    }
}

void libc_bind(void)
{
    int expected = UNBOUND;
    if (atomic_load_explicit(&binding, memory_order_acquire) == BOUND || binding_here)
        return;
    if (!atomic_compare_exchange_strong(&binding, &expected, BINDING)) {
        while (atomic_load_explicit(&binding, memory_order_acquire) != BOUND)
            raw_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0, 0);
        return;
    }
    binding_here = 1;
    bind_all();
    binding_here = 0;
    atomic_store_explicit(&binding, BOUND, memory_order_release);
}

__attribute__((constructor(101))) static void bind_at_start(void)
{
    libc_bind();
}
