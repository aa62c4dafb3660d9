/* See slots.h. */
#include "conn/family/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "base/process.h"
#include "conn/family/family.h"

/* In a slot's word, between a mark of the pid namespace of who wrote it, above, and a process id in that, below. */
enum slot_state {
    SLOT_FREE,
    SLOT_UNBORN, /* of a child that has not run yet: its id as its parent sees it, or 0; or of one that could not lock */
    SLOT_SPAWNED, /* of a program that is being started: its parent's id, until that knows the program's */
    SLOT_SHELL,   /* the same, where it will not know */
    SLOT_ALIVE,   /* holds the lock */
    SLOT_LEAVING, /* the same, in exec */
    SLOT_BURIED
};

static _Atomic int own = -1;
static bool full;

enum { STATE_SHIFT = 32, MARK_SHIFT = 48 };
#define FREE     ((uint64_t)SLOT_FREE)
#define UNMARKED (((uint64_t)1 << MARK_SHIFT) - 1)

static uint64_t word(enum slot_state state, pid_t pid)
{
    return (uint64_t)process_namespace() << MARK_SHIFT | (uint64_t)state << STATE_SHIFT | (uint32_t)pid;
}

static enum slot_state state_of(uint64_t seen)
{
    return (enum slot_state)((seen & UNMARKED) >> STATE_SHIFT);
}

static pid_t pid_of(uint64_t seen)
{
    return (pid_t)(uint32_t)seen;
}

static bool lock_byte(int slot, int type, int command, struct flock *out)
{
    *out = (struct flock){ .l_type = (short)type, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1 };
    return family_fd() >= 0 && libc.fcntl(family_fd(), command, (long)out) == 0;
}

static bool hold(int slot, int type)
{
    struct flock unused;
    return lock_byte(slot, type, F_SETLK, &unused);
}

/* Without the lock (ENOLCK, or there is no file) its process id is what tells that a process lives. */
static uint64_t held_word(int slot, enum slot_state state)
{
    return word(hold(slot, F_WRLCK) ? state : SLOT_UNBORN, getpid());
}

/* Of an id in another pid namespace nothing is known. */
static bool is_foreign(uint64_t seen)
{
    return seen >> MARK_SHIFT != process_namespace();
}

static bool pid_lives(uint64_t seen)
{
    return pid_of(seen) == 0 || is_foreign(seen) || !process_is_gone(pid_of(seen));
}

static bool is_locked(int slot, bool *known)
{
    struct flock held;
    *known = lock_byte(slot, F_WRLCK, F_GETLK, &held);
    return *known && held.l_type != F_UNLCK;
}

/*
 * The kernel drops a process' locks of a file when that closes any descriptor of it: so a program that opens its /proc/self/fd/N and closes it is
 * without the lock, and lives. Whoever is in exec has closed the file, where he has no lock, and is another program.
 */
bool slots_lives(int slot)
{
    uint64_t seen = atomic_load(&family->slot[slot]);
    bool known;
    if (slot == own)
        return true;
    switch (state_of(seen)) {
    case SLOT_UNBORN:
    case SLOT_SPAWNED:
    case SLOT_SHELL:
        return pid_lives(seen);
    case SLOT_ALIVE:
        return is_locked(slot, &known) || (!(known && is_foreign(seen)) && pid_lives(seen));
    case SLOT_LEAVING:
        return is_locked(slot, &known) || (!known && pid_lives(seen));
    default:
        return false;
    }
}

/* ---- by process id ---- */

static _Atomic bool makes_channels;

/* Of a bit for each; two may have one. */
static uint32_t maker_of(pid_t pid)
{
    return ((uint32_t)pid ^ process_namespace() * 0x9e3779b1u) % FAMILY_MAKERS;
}

void slots_note_maker(void)
{
    uint32_t maker = maker_of(getpid());
    if (makes_channels && family)
        atomic_fetch_or(&family->makers[maker / 8], (uint8_t)(1u << (maker % 8)));
}

void slots_note_channel(void)
{
    makes_channels = true;
    slots_note_maker();
}

static bool was_maker(pid_t pid)
{
    uint32_t maker = maker_of(pid);
    return (atomic_load(&family->makers[maker / 8]) >> (maker % 8) & 1) && process_is_gone(pid);
}

bool slots_is_member(pid_t pid)
{
    uint32_t n = family ? atomic_load(&family->slots) : 0;
    for (uint32_t i = 0; i < n && i < FAMILY_SLOTS; i++) {
        uint64_t seen = atomic_load(&family->slot[i]);
        if (pid_of(seen) == pid && !is_foreign(seen) && slots_lives((int)i))
            return true;
    }
    return family && was_maker(pid);
}

/* ---- taking and leaving ---- */

static int take(enum slot_state state, pid_t pid)
{
    for (int i = 0; i < FAMILY_SLOTS; i++) {
        uint64_t expected = FREE;
        uint32_t seen = atomic_load(&family->slots);
        if (!atomic_compare_exchange_strong(&family->slot[i], &expected, word(state, pid)))
            continue;
        while ((uint32_t)i >= seen && !atomic_compare_exchange_weak(&family->slots, &seen, (uint32_t)i + 1))
            continue;
        return i;
    }
    return -1;
}

/* Nobody takes an unborn slot without an id for a dead one, so the lock comes first. */
static int take_and_hold(enum slot_state state)
{
    int slot = take(SLOT_UNBORN, 0);
    if (slot >= 0)
        atomic_store(&family->slot[slot], held_word(slot, state));
    return slot;
}

/* Threads that make the first connections at once have one slot: what is held by another of ours would never be let go. */
int slots_own(void)
{
    int mine = atomic_load(&own), slot;
    if (mine >= 0 || full || !family)
        return mine;
    slot = take_and_hold(SLOT_ALIVE);
    if (atomic_compare_exchange_strong(&own, &mine, slot)) {
        full = slot < 0;
        return slot;
    }
    slots_release(slot);
    return mine;
}

int slots_reserve(void)
{
    return take(SLOT_UNBORN, 0);
}

int slots_reserve_spawned(bool id_follows)
{
    return take(id_follows ? SLOT_SPAWNED : SLOT_SHELL, getpid());
}

void slots_born(int slot, pid_t child)
{
    uint64_t unborn = word(SLOT_UNBORN, 0), spawned;
    if (slot < 0)
        return;
    spawned = word(SLOT_SPAWNED, getpid());
    if (!atomic_compare_exchange_strong(&family->slot[slot], &unborn, word(SLOT_UNBORN, child)))
        atomic_compare_exchange_strong(&family->slot[slot], &spawned, word(SLOT_UNBORN, child));
}

void slots_release(int slot)
{
    if (slot < 0)
        return;
    hold(slot, F_UNLCK); /* or the next one could not lock it */
    atomic_store(&family->slot[slot], FREE);
}

bool slots_retract(int slot)
{
    uint64_t spawned = word(SLOT_SPAWNED, getpid()), shell = word(SLOT_SHELL, getpid());
    return atomic_compare_exchange_strong(&family->slot[slot], &spawned, word(SLOT_BURIED, 0)) ||
           atomic_compare_exchange_strong(&family->slot[slot], &shell, word(SLOT_BURIED, 0));
}

bool slots_claim(int slot)
{
    uint64_t seen, alive;
    own = -1;
    full = makes_channels = false;
    if (slot < 0)
        return false;
    alive = held_word(slot, SLOT_ALIVE);
    seen = atomic_load(&family->slot[slot]);
    if (state_of(seen) != SLOT_UNBORN || !atomic_compare_exchange_strong(&family->slot[slot], &seen, alive)) {
        seen = atomic_load(&family->slot[slot]); /* the parent may just have written the id */
        if (state_of(seen) != SLOT_UNBORN ||
            !atomic_compare_exchange_strong(&family->slot[slot], &seen, alive)) {
            hold(slot, F_UNLCK);
            return false;
        }
    }
    own = slot;
    return true;
}

int slots_leave(bool borrowed)
{
    int slot = borrowed ? take_and_hold(SLOT_LEAVING) : slots_own();
    uint64_t alive = word(SLOT_ALIVE, getpid());
    if (slot >= 0 && !borrowed)
        atomic_compare_exchange_strong(&family->slot[slot], &alive, word(SLOT_LEAVING, getpid()));
    return slot;
}

void slots_stay(int slot, bool borrowed)
{
    uint64_t leaving = word(SLOT_LEAVING, getpid());
    if (slot < 0)
        return;
    if (borrowed)
        slots_release(slot);
    else
        atomic_compare_exchange_strong(&family->slot[slot], &leaving, word(SLOT_ALIVE, getpid()));
}

/* The next one whose word is that, as far as `mask` reaches. */
static int find(enum slot_state state, pid_t pid, uint64_t mask, int from)
{
    const uint64_t wanted = word(state, pid) & mask;
    int n = (int)atomic_load(&family->slots);
    while (from < n && from < FAMILY_SLOTS && (atomic_load(&family->slot[from]) & mask) != wanted)
        from++;
    return from < n && from < FAMILY_SLOTS ? from : -1;
}

static bool arrive_at(enum slot_state state, pid_t pid, uint64_t mask)
{
    for (int i = -1; (i = find(state, pid, mask, i + 1)) >= 0;) {
        uint64_t seen = atomic_load(&family->slot[i]);
        if (mask == UNMARKED && state == SLOT_LEAVING && !hold(i, F_WRLCK))
            continue; /* ours has outlived the exec: it is another's */
        if ((seen & mask) == (word(state, pid) & mask) &&
            atomic_compare_exchange_strong(&family->slot[i], &seen, held_word(i, SLOT_ALIVE))) {
            own = i;
            return true;
        }
        hold(i, F_UNLCK);
    }
    return false;
}

/*
 * With our own mark first: one of the same id in another namespace may be in exec, too. Then whatever its mark is, for where /proc cannot be
 * read, an image does not know that of the one before.
 */
static bool arrive_as(enum slot_state state, pid_t pid)
{
    return arrive_at(state, pid, ~(uint64_t)0) || arrive_at(state, pid, UNMARKED);
}

int slots_arrive(void)
{
    const struct timespec moment = { 0, 1000 * 1000 };
    const pid_t parent = getppid();
    bool shell = true;
    /* Are we what system() has started, or what another thread spawns? In the second case it will soon write that down. */
    for (int i = 0; i < 20 && shell; i++) {
        if (arrive_as(SLOT_LEAVING, getpid()) || arrive_as(SLOT_UNBORN, getpid()))
            return own;
        shell = find(SLOT_SHELL, parent, UNMARKED, 0) >= 0;
        if (shell && find(SLOT_SPAWNED, parent, UNMARKED, 0) < 0)
            break;
        if (shell)
            libc.syscall(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
    }
    arrive_as(shell ? SLOT_SHELL : SLOT_SPAWNED, parent);
    return own;
}

void slots_sweep(void (*bury)(int slot))
{
    enum { AT_ONCE = 4 };
    uint32_t n = atomic_load(&family->slots);
    if (n > FAMILY_SLOTS)
        n = FAMILY_SLOTS;
    for (uint32_t i = 0; i < AT_ONCE && i < n; i++) {
        uint32_t at = atomic_fetch_add(&family->sweep, 1) % n;
        uint64_t seen = atomic_load(&family->slot[at]);
        if (state_of(seen) == SLOT_FREE || state_of(seen) == SLOT_BURIED || slots_lives((int)at) ||
            !atomic_compare_exchange_strong(&family->slot[at], &seen, word(SLOT_BURIED, 0)))
            continue;
        bury((int)at);
        slots_release((int)at);
    }
}
