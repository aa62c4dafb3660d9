/* See roomy.h. */
#include "base/roomy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/process.h"

enum { ROOM = 48 * 1024, STACK = 192 * 1024, PAGE = 4096 };

/* This thread's lowest address, one where it need not be known. A signal handler's own stack lies elsewhere. */
static __thread uintptr_t lowest;
static __thread uintptr_t highest;

static void look(void)
{
    pthread_attr_t attributes;
    void *start = NULL;
    size_t size = 0;
    lowest = 1;
    highest = UINTPTR_MAX;
    if (process_is_first_thread() || pthread_getattr_np(pthread_self(), &attributes) != 0)
        return; /* the first thread's grows */
    if (pthread_attr_getstack(&attributes, &start, &size) == 0) {
        lowest = (uintptr_t)start;
        highest = lowest + size;
    }
    pthread_attr_destroy(&attributes);
}

static bool is_roomy(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (lowest == 0)
        look();
    return here > lowest && here < highest && here - lowest > ROOM;
}

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SWITCHES 1
static void call_on(void *top, void (*work)(void *), void *argument)
{
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %[top], %%rsp\n\t"
                     "callq *%[work]\n\t"
                     "movq %%rbx, %%rsp"
                     : "+D"(argument)
                     : [top] "r"(top), [work] "r"(work)
                     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0",
                       "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                       "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}
#elif defined(__aarch64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SWITCHES 1
static void call_on(void *top, void (*work)(void *), void *argument)
{
    register void *x0 __asm__("x0") = argument;
    __asm__ volatile("mov x19, sp\n\t"
                     "mov sp, %[top]\n\t"
                     "blr %[work]\n\t"
                     "mov sp, x19"
                     : "+r"(x0)
                     : [top] "r"(top), [work] "r"(work)
                     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x19", "x30", "memory", "cc", "v0", "v1", "v2", "v3", "v4",
                       "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",
                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31");
}
#else
#define SWITCHES 0
static void call_on(void *top, void (*work)(void *), void *argument)
{
    (void)top;
    work(argument);
}
#endif

void roomy_call(void (*work)(void *), void *argument)
{
    uint8_t *stack;
    if (!SWITCHES || is_roomy()) {
        work(argument);
        return;
    }
    stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        work(argument);
        return;
    }
    mprotect(stack, PAGE, PROT_NONE);
    call_on(stack + STACK, work, argument);
    munmap(stack, STACK);
}
