/*
 * A program with an allocator of its own, which opens and reads files at its first call, as jemalloc and others do, and cannot be
 * entered again before that is over. Its first call comes before any library's constructor.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static alignas(16) char heap[64 << 20];
static size_t used;
static enum { UNTOUCHED, STARTING, READY } state;
static char text[4096];

static void start(void)
{
    int fd;
    if (state == STARTING) {
        static const char complaint[] = "the allocator was entered while it started\n";
        (void)!write(STDERR_FILENO, complaint, sizeof complaint - 1);
        _exit(3);
    }
    state = STARTING;
    fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!read(fd, text, sizeof text);
        close(fd);
    }
    state = READY;
}

void *malloc(size_t n)
{
    size_t *block;
    if (state != READY)
        start();
    n = (n + 15) / 16 * 16 + 16;
    if (used + n > sizeof heap)
        return NULL;
    block = (size_t *)(void *)(heap + __atomic_fetch_add(&used, n, __ATOMIC_RELAXED));
    *block = n - 16;
    return (char *)block + 16;
}

void *calloc(size_t n, size_t size)
{
    return malloc(n * size); /* it is zero: nothing is used twice */
}

void free(void *block)
{
    (void)block;
}

void *realloc(void *block, size_t n)
{
    void *grown = malloc(n);
    size_t old = block ? ((size_t *)block)[-2] : 0;
    if (grown && block)
        memcpy(grown, block, old < n ? old : n);
    return grown;
}

void *memalign(size_t alignment, size_t n)
{
    char *block = malloc(n + alignment);
    return block ? block + (alignment - (size_t)block % alignment) % alignment : NULL;
}

static void first_call(void)
{
    void *volatile block = malloc(1); /* not to be optimized away */
    free(block);
}
__attribute__((section(".preinit_array"), used)) static void (*const before_all)(void) = first_call;

int main(void)
{
    puts(text[0] ? "ready" : "nothing was read");
    return 0;
}
