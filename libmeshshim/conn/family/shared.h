/*
 * What belongs to an open file description: keys, sequence numbers, locks, bytes in between. It lives in the family's memory, so
 * references from one part to another are arena_refs. Its memory is never unmapped and stays of its kind (nothing else is
 * allocated in its size class): who loses a race against a close sees another connection, and notices.
 *
 * A process holds it while it has the description open. The last holder says goodbye to the peer and frees it. A description that is under way
 * in a message (SCM_RIGHTS) is held by the message.
 */
#ifndef MESHSHIM_SHARED_H
#define MESHSHIM_SHARED_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/lock.h"
#include "conn/family/arena.h"
#include "conn/family/family.h"
#include "tls/keys.h"
#include "tls/tickets.h"

/* To be raised when what a field means changes but not the size: processes of two libraries must not share it. */
enum { SHARED_LAYOUT = 10 };

enum { DEFERRED_MOST = 4096 };

/*
 * Every process of the family may write here, one that has given up its rights or been taken over too. Whatever it writes may end a
 * connection, but must not lead out of this memory: so sizes and places are read once (ARENA_ONCE) and checked where they are used, a bool
 * is a byte of any value, and an errno is asked for by shared_error.
 */
typedef uint8_t shared_bool;

/* The errno that is left there, 0 for none; no other number passes for a count. */
static inline int shared_error(const int *error)
{
    int seen = ARENA_ONCE(*error);
    return seen >= 0 && seen <= 4095 ? seen : ECONNRESET;
}

/* One direction of an established connection. */
struct receiving {
    struct lock lock;
    _Atomic shared_bool asleep; /* the lock's owner may be waiting in the kernel */
    shared_bool told;           /* the program knows by FIONREAD how much there is, and may stop there */
    uint16_t held;     /* so many bytes of an opened record, its last ones, are still in the kernel */
    shared_bool ended; /* close_notify was read, or the program shut reading down: end of file */
    shared_bool
        reset_told;     /* the program has seen ECONNRESET: what follows is end of file, as in the kernel */
    shared_bool kernel; /* the kernel opens the records (tls/ktls.h); what is kept of records stays empty */
    shared_bool raised; /* its SO_RCVLOWAT is not what the program set: see kernel_receive.c */
    int found;          /* errno that the kernel told us, and we not yet the program; 0: none */
    uint32_t empty;     /* records without data in a row */
    int error;          /* errno that every further read gets */
    struct keys keys;
    arena_ref carry; /* ciphertext of a record that has not come whole; RECORD_MOST */
    uint32_t carry_length;
    arena_ref kept; /* plaintext that the program has not taken; kept_room */
    uint32_t kept_room, kept_at, kept_length;
    uint32_t low_water; /* SO_RCVLOWAT, when above 1 */
    /* A handshake message that goes on in the next record: its head and a KeyUpdate's byte, and how much is to come. */
    uint8_t message[5], message_have;
    uint32_t message_left;
    arena_ref tickets; /* struct tickets: what the server may give; few servers do */
};

struct sending {
    struct lock lock;
    _Atomic shared_bool asleep;
    shared_bool closed; /* close_notify is out */
    shared_bool owed;   /* one committed byte has not been reported as sent */
    uint8_t owed_byte;
    shared_bool nagle;  /* the program has Nagle on: its first bytes must not wait for our Finished's ACK */
    shared_bool kernel; /* the kernel seals the records; keys.seq is then a bound that is never too low */
    shared_bool announced; /* the kernel will tell of a zero-copy call that has not counted yet: zerocopy.c */
    _Atomic shared_bool update_due; /* the peer asked for a key update */
    uint8_t batch; /* full records that the kernel takes at once, as far as is known; 0: it is not */
    int error;
    struct keys
        keys; /* its number is behind those of what the kernel has taken, never of what is only sealed */
    arena_ref residue; /* ciphertext of a committed record that the kernel did not take; RECORD_MOST */
    uint32_t residue_at, residue_length;
    arena_ref
        deferred; /* plaintext of a signal handler that interrupted the lock's owner; goes out behind the residue */
    volatile uint32_t deferred_length;
    uint64_t
        taken; /* ciphertext that the kernel has, as writing_taken counts it; a sleeper's last call is not in it */
    _Atomic int64_t asked_ns; /* when the last byte went out (outbound) or came in (inbound), 0: answered */
};

/* For whoever has it open, and for those who look: names that settle.c writes before it says established. Where it leads, dial.c before. */
struct about {
    char service[64];  /* the series' name: "payments", "inbound:8080" */
    char peer[256];    /* the proven identity */
    char address[64];  /* "10.0.0.1:4711" */
    int64_t opened_ms; /* clock_ms */
    uint16_t port;     /* inbound: the listener's */
};

struct shared {
    _Alignas(64) struct receiving rx;
    _Alignas(64) struct sending tx;
    _Alignas(64) struct lock holders_lock;
    shared_bool ended;                  /* the last one has left: nobody joins any more */
    shared_bool crowded;                /* a process without a slot has it: assume that somebody still does */
    uint16_t in_flight;                 /* in messages that nobody has received yet */
    uint64_t holder[FAMILY_SLOTS / 64]; /* a bit a slot */
    uint64_t cookie;                    /* of the socket: the kernel gives no two the same */
    arena_ref next;                     /* in its bucket */
    _Atomic int established;            /* 0: no; 1: keys are valid */
    _Atomic int failed;                 /* the handshake's errno */
    _Atomic pid_t shaker;               /* process_id() of who drives the handshake */
    shared_bool inbound, tolerate_truncation;
    _Atomic shared_bool
        gone; /* of the kernel's records: an error has ended the connection, and the program has been told */
    struct about about;
};

/* The handshake's errno, 0: it has not failed. */
static inline int shared_failed(const struct shared *shared)
{
    int failed = atomic_load_explicit(&shared->failed, memory_order_acquire);
    return shared_error(&failed);
}

/* For the socket `fd`, held by this process; NULL when out of memory. */
struct shared *shared_new(int fd);
/*
 * The one of the socket `fd`, held by this process from now on (*had: it was before); `in_flight`: it came by a message. NULL: none,
 * or it has ended.
 */
struct shared *shared_find(int fd, bool in_flight, bool *had);
/* Is there one, and has somebody connected it? Nothing changes. */
bool shared_exists(int fd);
/* False: its processes share a socket that none of them has connected to a meshed service. */
bool shared_is_used(const struct shared *shared);
/* This process has it no longer. True where nobody has: the caller says goodbye and frees it. */
bool shared_leave(struct shared *shared);
void shared_free(struct shared *shared);
/* A message that carries it is about to be sent; or was not. */
void shared_send(struct shared *shared);
void shared_unsend(struct shared *shared);
/*
 * The same, before this image ends. The last one keeps it, so that it is freed when the process is gone: until then it is in the middle of
 * its goodbye.
 */
bool shared_part(struct shared *shared);
/* The one of the socket `fd`, if any, is held by `slot` too. */
void shared_add_by_fd(int fd, int slot);
/* A process that is about to be has it too: a slot that was reserved. */
void shared_add(struct shared *shared, int slot);
bool shared_is_held(const struct shared *shared, int slot);
bool shared_is_held_by_several(const struct shared *shared);
/* Has, or may another process have it, now or when a message arrives? */
bool shared_is_elsewhere(const struct shared *shared);
void shared_remove(struct shared *shared, int slot);
/* Whatever `slot` still holds; what nobody else does is freed. */
void shared_bury(int slot);
/* In a new image: of what its slot holds, only what `is_here` finds in this process. */
void shared_keep_only(bool (*is_here)(const struct shared *shared));

#endif
