/*
 * See active.h. region->mine says which record is ours: the process id in the upper half, in the lower half
 * one of these or the slot + FIRST. The id tells a child that no handler told of its fork.
 */
#include "stats/active.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/banned.h"
#include "stats/owner.h"

enum { NONE, CLAIMING, FULL, FIRST };

static uint64_t mine_of(uint32_t pid, uint32_t what)
{
    return (uint64_t)pid << 32 | what;
}

/* What a dead process left open is closed now. */
static void settle(struct region *region, struct region_process *record)
{
    for (size_t i = 0; i < REGION_SERIES; i++) {
        int32_t active = atomic_load(&record->active[i]) ? atomic_exchange(&record->active[i], 0) : 0;
        struct region_block *block = active > 0 ? region_block(region, i) : NULL;
        if (block)
            atomic_fetch_add_explicit(&block->counters.closed, (uint64_t)active, memory_order_relaxed);
    }
}

static bool take(struct region *region, char *base, size_t slot)
{
    size_t offset = REGION_PROCESS_OFFSET + slot * sizeof(struct region_process);
    if (!region_allocate(region, offset, sizeof(struct region_process))) {
        atomic_store(&region_control(base)->owner[slot], 0);
        return false;
    }
    settle(region, region_process(base, slot));
    return true;
}

/* A free record, or that of a process that is gone by the given judgement. */
static uint32_t find(struct region *region, char *base, uint64_t self, bool (*gone)(uint64_t, uint64_t))
{
    struct region_control *control = region_control(base);
    for (uint32_t i = 0; i < REGION_PROCESSES; i++) {
        uint64_t owner = atomic_load(&control->owner[i]);
        if (owner != 0 && owner != self && !gone(owner, self))
            continue;
        if (atomic_compare_exchange_strong(&control->owner[i], &owner, self))
            return take(region, base, i) ? FIRST + i : FULL;
    }
    return FULL;
}

/* The process that we are now was another program before an exec: its record is ours, its connections are
 * not. */
static uint32_t find_own(struct region *region, char *base, uint64_t self)
{
    for (uint32_t i = 0; i < REGION_PROCESSES; i++) {
        if (atomic_load(&region_control(base)->owner[i]) == self)
            return take(region, base, i) ? FIRST + i : FULL;
    }
    return FULL;
}

static uint32_t find_any(struct region *region, char *base)
{
    uint64_t self = owner_self();
    uint32_t found = find_own(region, base, self);
    if (found == FULL)
        found = find(region, base, self, owner_absent);
    return found == FULL ? find(region, base, self, owner_gone) : found;
}

/* Not to be cancelled in between: nobody else would finish it. */
static uint32_t claim(struct region *region, char *base, uint32_t pid)
{
    uint32_t what;
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    what = find_any(region, base);
    atomic_store_explicit(&region->mine, mine_of(pid, what), memory_order_release);
    pthread_setcancelstate(cancel, NULL);
    return what;
}

static struct region_process *own_record(struct region *region, char *base)
{
    uint32_t pid = (uint32_t)getpid();
    uint64_t seen = atomic_load_explicit(&region->mine, memory_order_acquire);
    uint32_t what = (uint32_t)seen;

    if (seen >> 32 != pid || what == NONE) {
        if (atomic_compare_exchange_strong(&region->mine, &seen, mine_of(pid, CLAIMING)))
            what = claim(region, base, pid);
        else
            what = CLAIMING;
    }
    /* Another thread is at it: a few microseconds. A signal handler inside it does without. */
    for (int i = 0; what == CLAIMING && i < 1000; i++) {
        sched_yield();
        what = (uint32_t)atomic_load_explicit(&region->mine, memory_order_acquire);
    }
    return what >= FIRST ? region_process(base, what - FIRST) : NULL;
}

void active_add(struct region *region, size_t index)
{
    char *base = atomic_load_explicit(&region->base, memory_order_acquire);
    struct region_process *record = own_record(region, base);
    if (record)
        atomic_fetch_add(&record->active[index], 1);
}

void active_remove(struct region *region, size_t index)
{
    char *base = atomic_load_explicit(&region->base, memory_order_acquire);
    struct region_process *record = own_record(region, base);
    int32_t active = record ? atomic_load(&record->active[index]) : 0;
    while (active > 0 && !atomic_compare_exchange_weak(&record->active[index], &active, active - 1))
        ;
}

void active_prepare(struct region *region)
{
    char *base = atomic_load_explicit(&region->base, memory_order_acquire);
    if (base)
        own_record(region, base);
}

static bool is_unused(const struct region_process *record)
{
    for (size_t i = 0; i < REGION_SERIES; i++)
        if (atomic_load(&record->active[i]))
            return false;
    return true;
}

/* Where something is open (another thread was in the middle of it), the record stays until somebody sees that its owner is gone. */
void active_end(struct region *region)
{
    char *base = atomic_load_explicit(&region->base, memory_order_acquire);
    uint64_t seen = atomic_load_explicit(&region->mine, memory_order_acquire);
    uint32_t what = (uint32_t)seen;
    if (!base || seen >> 32 != (uint32_t)getpid() || what < FIRST ||
        !is_unused(region_process(base, what - FIRST)) ||
        !atomic_compare_exchange_strong(&region->mine, &seen, mine_of(0, NONE)))
        return;
    atomic_store(&region_control(base)->owner[what - FIRST], 0);
}

void active_after_fork(struct region *region)
{
    uint64_t seen = atomic_load(&region->mine);
    /* An id that a new pid namespace repeats must not pass for the parent: no process has id 0. */
    atomic_store(&region->mine, mine_of(0, (uint32_t)seen == CLAIMING ? NONE : (uint32_t)seen));
}
