/* See scratch.h. Mapped rather than allocated: a signal handler may be what needs it. */
#include "base/scratch.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "base/banned.h"

static __thread uint8_t *mine;
static __thread bool busy;
static pthread_key_t at_thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

static uint8_t *map_one(void)
{
    void *data = mmap(NULL, SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return data == MAP_FAILED ? NULL : data;
}

static void thread_ended(void *data)
{
    mine = NULL;
    munmap(data, SCRATCH_SIZE);
}

static void make_key(void)
{
    have_key = pthread_key_create(&at_thread_end, thread_ended) == 0;
}

uint8_t *scratch_take(void)
{
    if (__builtin_expect(busy, 0))
        return map_one();
    if (__builtin_expect(!mine, 0)) {
        pthread_once(&once, make_key);
        mine = map_one();
        if (mine && have_key)
            pthread_setspecific(at_thread_end, mine);
    }
    busy = mine != NULL;
    return mine;
}

void scratch_give(uint8_t *scratch)
{
    if (scratch == mine)
        busy = false;
    else
        munmap(scratch, SCRATCH_SIZE);
}
