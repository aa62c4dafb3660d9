/*
 * A second preload, behind the library: what the library calls of libc comes by here, and what the program calls does not, unless the
 * library passes it on. Calls that come from inside the library are counted, and one of them is made to fail: see control.h.
 */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <unwind.h>

#include "base/libc.h"
#include "base/raw.h"
#include "control.h"
#include "little.h"

static struct fault_control *control;
static uintptr_t library_start, library_end;
static __thread int inside;

static int find_library(struct dl_phdr_info *info, size_t size, void *unused)
{
    const char *end = strrchr(info->dlpi_name, '/');
    (void)size;
    (void)unused;
    if (strcmp(end ? end + 1 : info->dlpi_name, "libmeshshim.so") != 0)
        return 0;
    library_start = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && info->dlpi_addr + part->p_vaddr + part->p_memsz > library_end)
            library_end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULT_FILE");
    long fd, at;
    int nobody = 0;
    if (control || !path)
        return;
    inside++;
    dl_iterate_phdr(find_library, NULL);
    fd = raw_syscall(SYS_openat, AT_FDCWD, (long)path, O_RDWR | O_CLOEXEC, 0, 0, 0);
    if (fd >= 0 && library_end) {
        at = raw_syscall(SYS_mmap, 0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at > 0 || at < -4096)
            control = (struct fault_control *)at;
    }
    if (fd >= 0)
        raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    if (control)
        atomic_compare_exchange_strong(&control->owner, &nobody,
                                       (int)raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0));
    inside--;
}

/* ---- from where ---- */

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *argument)
{
    struct fault_site *site = argument;
    uintptr_t at = _Unwind_GetIP(context);
    if (at >= library_start && at < library_end)
        site->frame[site->frames++] = (uint32_t)(at - library_start);
    return site->frames < FAULT_FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static uint64_t look_around(struct fault_site *site)
{
    uint64_t hash = 14695981039346656037u + (uint64_t)site->call * 2 + site->thread;
    _Unwind_Backtrace(note_frame, site);
    for (int i = 0; i < site->frames; i++)
        hash = (hash ^ site->frame[i]) * 1099511628211u;
    return (hash ^ site->detail) * 1099511628211u | 1;
}

static void note_site(const struct fault_site *found, uint64_t hash)
{
    for (uint64_t i = 0; i < FAULT_SITES; i++) {
        struct fault_site *site = &control->site[(hash + i) % FAULT_SITES];
        uint64_t empty = 0;
        if (atomic_compare_exchange_strong(&site->hash, &empty, hash)) {
            memcpy(&site->call, &found->call, sizeof *site - offsetof(struct fault_site, call));
            site->count = 1;
            site->kind = (uint8_t)control->kind;
            return;
        }
        if (empty == hash) {
            atomic_fetch_add(&site->count, 1);
            return;
        }
    }
}

static uint32_t dice(void)
{
    uint64_t x = atomic_fetch_add(&control->random, 0x9e3779b97f4a7c15u);
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)((x ^ x >> 27) * 0x94d049bb133111ebu >> 33);
}

/* What is told where nobody has said which errno. */
static int usual_error(enum fault_call call)
{
    switch (call) {
    case CALL_close:
    case CALL_read:
    case CALL_write:
        return EIO;
    case CALL_send:
    case CALL_recv:
    case CALL_sendmsg:
    case CALL_recvmsg:
        return ECONNRESET;
    case CALL_poll:
    case CALL_ppoll:
    case CALL_epoll_wait:
    case CALL_epoll_pwait:
    case CALL_nanosleep:
        return EINTR;
    default:
        return ENOMEM;
    }
}

/* Is it the call that is to fail? Nobody looks where a call comes from once that one has come. */
static bool is_wanted(struct fault_site *site)
{
    uint32_t nth = control->nth;
    if (site->call != control->call || (nth && atomic_load(&control->reached) >= nth) ||
        look_around(site) != control->place)
        return false;
    return atomic_fetch_add(&control->reached, 1) + 1 == nth || !nth;
}

static bool fails(struct fault_site *site, int *error)
{
    bool here;
    switch (atomic_load_explicit(&control->mode, memory_order_relaxed)) {
    case FAULT_COUNT:
        note_site(site, look_around(site));
        return false;
    case FAULT_ONE:
        here = is_wanted(site);
        break;
    case FAULT_RATE:
        if ((here = dice() % control->nth == 0))
            look_around(site);
        break;
    default:
        here = false;
    }
    if (here) {
        *error = control->error ? control->error : usual_error(site->call);
        control->hit = *site;
        atomic_fetch_add(&control->hits, 1);
    }
    return here;
}

/* 0, the errno with which this call fails, or how little it does. */
static int fault(enum fault_call call, const void *caller, long detail)
{
    struct fault_site site = { .call = (uint16_t)call, .detail = (uint32_t)detail };
    int error = 0, saved = errno, process;
    if (call == CALL_epoll_ctl &&
        detail != EPOLL_CTL_ADD) /* what is there can always be changed: nothing is allocated */
        return 0;
    if (call == CALL__exit || call == CALL__Exit) /* nobody comes back from those */
        return 0;
    if (!control || inside || (uintptr_t)caller < library_start || (uintptr_t)caller >= library_end)
        return 0;
    process = (int)raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
    if (control->alone && process != atomic_load(&control->owner))
        return 0;
    inside++;
    site.thread = raw_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0) != process;
    site.first = atomic_fetch_add(&control->calls[site.thread][call], 1) + 1;
    if (!fails(&site, &error))
        error = 0;
    inside--;
    errno = error ? error : saved;
    return error;
}

/* ---- the calls ---- */

static void *real(const char *name)
{
    void *found;
    inside++;
    found = dlsym(RTLD_NEXT, name);
    inside--;
    return found;
}

#define HERE         __builtin_return_address(0)
#define EXPORT(name) __asm__(#name) __attribute__((visibility("default")))
#define DETAIL_OF(name, first, second, ...)                                                                  \
    (CALL_##name == CALL_syscall                                  ? (long)(intptr_t)(first)                  \
     : CALL_##name == CALL_epoll_ctl || CALL_##name == CALL_fcntl ? (long)(intptr_t)(second)                 \
                                                                  : 0)
#define ARGUMENTS(...)    __VA_ARGS__
#define DETAIL(name, ...) DETAIL_OF(name, __VA_ARGS__ __VA_OPT__(, ) 0, 0)

#define SYM(ret, name, params, args, number)                                                                 \
    ret fault_##name params EXPORT(name);                                                                    \
    ret fault_##name params                                                                                  \
    {                                                                                                        \
        static ret(*next) params;                                                                            \
        int why = fault(CALL_##name, HERE, DETAIL(name, ARGUMENTS args));                                    \
        if (!next && !(next = (ret(*) params)real(#name)))                                                   \
            why = errno = ENOSYS;                                                                            \
        if (why >= FAULT_SHORT)                                                                              \
            LITTLE(name, args);                                                                              \
        if (why && (void *)next &&                                                                           \
            (CALL_##name == CALL_close || CALL_##name == CALL_fclose)) { /* it is closed all the same */     \
            next args;                                                                                       \
            errno = why;                                                                                     \
        }                                                                                                    \
        if (why && (CALL_##name == CALL_posix_spawn || CALL_##name == CALL_posix_spawnp))                    \
            return (ret)(intptr_t)why;                                                                       \
        if (why && (CALL_##name == CALL_getaddrinfo))                                                        \
            return (ret)(intptr_t)EAI_MEMORY;                                                                \
        return why ? (ret)(intptr_t)(FAILS_WITH_0(ret) ? 0 : -1) : next args;                                \
    }
#include "base/symbols.def"
#undef SYM

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *at, size_t n);

/* dlsym may allocate: not for these. */
static void *below(enum fault_call call, const char *name)
{
    switch (call) {
    case CALL_malloc:
        return (void *)__libc_malloc;
    case CALL_calloc:
        return (void *)__libc_calloc;
    case CALL_realloc:
        return (void *)__libc_realloc;
    default:
        return real(name);
    }
}

#define ERRNO why
#define CALL(ret, name, params, args, failure)                                                               \
    ret fault_##name params EXPORT(name);                                                                    \
    ret fault_##name params                                                                                  \
    {                                                                                                        \
        static ret(*next) params;                                                                            \
        int why = fault(CALL_##name, HERE, 0);                                                               \
        if (!next)                                                                                           \
            next = (ret(*) params)below(CALL_##name, #name);                                                 \
        if (why >= FAULT_SHORT)                                                                              \
            LITTLE(name, args);                                                                              \
        return why ? (ret)(failure) : next args;                                                             \
    }
#define SAFE(name)
#include "calls.def"
