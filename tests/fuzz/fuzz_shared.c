// links: libmeshshim/conn/*.c libmeshshim/conn/*/*.c libmeshshim/admin/views.c
/*
 * The family's memory, into which any of its processes may write: a connection is used, and with it all that lies in this memory, while
 * rubbish is written there. Nothing crashes, nothing turns round for ever, nobody reads or writes beside it, and no call claims more than it
 * was asked for. (A lock that a living process holds is waited for: such words are made a dead one's.)
 */
#include "open_conn.h"

#include "admin/views.h"
#include "conn/family/arena.h"
#include "conn/family/family.h"
#include "conn/handover/adopt.h"
#include "conn/handover/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { NOBODY = 0x3fffff, BODY = 40000, STEPS = 64 };

static uint8_t body[BODY];
static struct open_conn o;
static struct shared *shared; /* where it is, whatever becomes of it */
static arena_ref own_ref;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    open_conn_init();
    return 0;
}

static uint8_t *chunk(void)
{
    return family_at(FAMILY_CHUNK);
}

static void tame_all(void)
{
    tame(&family->growth);
    for (int i = 0; i < FAMILY_BUCKETS; i++)
        tame(&family->bucket[i].lock);
    tame((struct lock *)(void *)chunk());
    tame(&shared->rx.lock);
    tame(&shared->tx.lock);
    tame(&shared->holders_lock);
    memcpy(family->magic, "meshfam", 8);
}

/* The values that say the most: sizes, limits, what is just beyond them, and places. */
static uint32_t telling(uint8_t which)
{
    const uint32_t values[] = { 0,
                                1,
                                4,
                                5,
                                255,
                                512,
                                RECORD_MOST,
                                RECORD_MOST + 1,
                                1 << 17,
                                FAMILY_CHUNK,
                                INT32_MAX,
                                UINT32_MAX,
                                UINT32_MAX - 511,
                                own_ref,
                                (FAMILY_CHUNK + 512) / 64,
                                2 * FAMILY_CHUNK / 64 - 1 };
    return values[which % (sizeof values / sizeof values[0])];
}

/* One word of what is most worth it. */
static void set_word(struct input *in)
{
    uint32_t *chunk_words = (uint32_t *)(void *)chunk();
    uint32_t *const words[] = {
        &shared->rx.carry,
        &shared->rx.carry_length,
        &shared->rx.kept,
        &shared->rx.kept_room,
        &shared->rx.kept_at,
        &shared->rx.kept_length,
        &shared->rx.low_water,
        &shared->rx.message_left,
        &shared->rx.empty,
        (uint32_t *)&shared->rx.error,
        (uint32_t *)&shared->tx.error,
        &shared->rx.keys.epoch,
        &shared->tx.keys.epoch,
        &shared->tx.residue,
        &shared->tx.residue_at,
        &shared->tx.residue_length,
        &shared->tx.deferred,
        (uint32_t *)(uintptr_t)&shared->tx.deferred_length,
        &shared->next,
        (uint32_t *)(void *)&shared->established,
        (uint32_t *)(void *)&shared->failed,
        (uint32_t *)(void *)&shared->shaker,
        (uint32_t *)(void *)&family->chunks,
        (uint32_t *)(void *)&family->slots,
        (uint32_t *)(void *)&family->sweep,
        chunk_words + 1,
        chunk_words + 2,
        chunk_words + 3,
        chunk_words + 4,
        chunk_words + 9,
    };
    uint8_t *const bytes[] = { &shared->rx.message_have,    shared->rx.message,
                               &shared->rx.keys.suite,      &shared->tx.keys.suite,
                               (uint8_t *)&shared->rx.held, (uint8_t *)&shared->tx.owed };
    uint8_t which = input_u8(in), value = input_u8(in);
    size_t n = sizeof words / sizeof words[0], m = sizeof bytes / sizeof bytes[0];
    if (which % (n + m) < n)
        *words[which % (n + m)] = telling(value);
    else
        *bytes[which % (n + m) - n] = value;
}

static void write_rubbish(struct input *in)
{
    switch (input_u8(in) % 5) {
    case 0:
        input_scribble(in, &family->layout, sizeof *family - sizeof family->magic);
        break;
    case 1:
        input_scribble(in, chunk(), 512 + sizeof *shared + 8192);
        break;
    case 2:
        input_scribble(in, shared, sizeof *shared);
        break;
    default:
        set_word(in);
        break;
    }
    tame_all();
}

static void judge(ssize_t result, size_t most)
{
    must(result <= (ssize_t)most && result >= -4095);
}

static void receive(struct input *in)
{
    static const int flags[] = { 0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL };
    size_t n = input_u16(in) % BODY;
    uint8_t *exact = malloc(n + 1);
    struct iovec span = { exact, n };
    struct iov out = iov_of(&span, 1);
    judge(stream_read(o.conn, o.fd, &out, flags[input_u8(in) % 4] | MSG_DONTWAIT), n);
    free(exact);
}

static void transmit(struct input *in)
{
    size_t n = input_u16(in) % BODY;
    uint8_t *exact = calloc(1, n + 1);
    struct iovec span = { exact, n };
    struct iov from = iov_of(&span, 1);
    judge(stream_write(o.conn, o.fd, &from, MSG_DONTWAIT), n);
    free(exact);
    if (input_u8(in) & 1)
        peer_drains(&o);
}

static void peer_speaks(struct input *in)
{
    static const uint8_t types[] = { RECORD_DATA, RECORD_HANDSHAKE, RECORD_ALERT };
    static const uint8_t key_update[] = { 24, 0, 0, 1, 1 };
    uint8_t which = input_u8(in) % 4, type = types[which % 3], content[64];
    size_t n = input_bytes(in, content, input_u8(in) % sizeof content);
    if (which == 3 && peer_sends(&o, RECORD_HANDSHAKE, key_update, sizeof key_update, 0))
        peer_updates_keys(&o);
    else if (type == RECORD_DATA)
        peer_sends(&o, type, body, input_u16(in) % RECORD_PLAINTEXT, input_u16(in) % 256 * 64);
    else
        peer_sends(&o, type, content, n, input_u8(in));
}

static void nothing(void)
{
}

static void find(struct input *in)
{
    bool had;
    switch (input_u8(in) % 6) {
    case 0:
        shared_exists(o.fd);
        break;
    case 1:
        shared_find(o.fd, input_u8(in) & 1, &had);
        break;
    case 2:
        shared_add_by_fd(o.fd, input_u8(in));
        break;
    case 3:
        adopt_received(o.fd, true, nothing);
        break;
    case 4:
        shared_send(shared);
        break;
    default:
        shared_unsend(shared);
        break;
    }
}

static void members(struct input *in)
{
    struct handover handover;
    int slot;
    switch (input_u8(in) % 6) {
    case 0:
        slots_sweep(shared_bury);
        break;
    case 1:
        slot = conn_before_fork();
        conn_fork_failed(slot);
        break;
    case 2:
        slots_is_member((pid_t)input_u16(in));
        break;
    case 3:
        handover_exec(&handover, true);
        handover_stay(&handover);
        break;
    case 4:
        handover_spawn(&handover, true, NULL);
        handover_spawned(&handover, input_u8(in) & 1 ? -1 : NOBODY);
        break;
    default:
        handover_send(o.peer, o.fd);
        handover_unsend(o.fd);
        break;
    }
}

static void allocate(struct input *in)
{
    size_t n = input_u16(in) * (size_t)2;
    uint8_t *piece = arena_alloc(n);
    if (!piece)
        return;
    memset(piece, 1, n);
    if (input_u8(in) & 1)
        arena_free(piece, n);
}

static void other(struct input *in)
{
    struct buf out = BUF_INIT;
    switch (input_u8(in) % 7) {
    case 0:
        judge(stream_available(o.conn, o.fd), INT32_MAX);
        break;
    case 1:
        stream_is_readable(o.conn, o.fd);
        break;
    case 2:
        stream_set_low_water(o.conn, o.fd, input_u16(in));
        break;
    case 3:
        stream_answer_update(o.conn, o.fd);
        break;
    case 4:
        stream_finish(o.conn, o.fd);
        break;
    case 5:
        stream_drain_control(o.conn, o.fd);
        break;
    default:
        view_connections(&out);
        buf_free(&out);
        break;
    }
}

static void step(struct input *in)
{
    static void (*const steps[])(struct input *) = { write_rubbish, write_rubbish, write_rubbish, receive,
                                                     transmit,      peer_speaks,   find,          members,
                                                     allocate,      other };
    steps[input_u8(in) % (sizeof steps / sizeof steps[0])](in);
}

/* A new image comes into what the others have left. */
static void join_anew(void)
{
    int kept = dup(family_fd());
    bool joined;
    family_part();
    slots_claim(-1);
    joined = family_join(kept);
    if (joined) {
        slots_arrive();
        shared_keep_only(NULL);
        slots_release(slots_own());
        family_part();
    } else {
        close(kept);
    }
    slots_claim(-1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    uint8_t how = input_u8(&in);
    must(family_begin());
    o = open_conn_begin((enum aead_suite)(how % AEAD_SUITES), how & 4);
    shared = o.conn->shared;
    own_ref = arena_ref_of(shared);
    for (int i = 0; i < STEPS && in.left && o.conn->shared == shared; i++)
        step(&in);
    open_conn_end(&o);
    conn_each(forget, NULL);
    join_anew();
    return 0;
}
