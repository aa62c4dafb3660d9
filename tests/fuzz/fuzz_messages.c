// links: libmeshshim/conn/*.c libmeshshim/conn/*/*.c
/*
 * What an authenticated peer may send after the handshake: data, tickets, key updates and alerts, in any order, in pieces, with anything in
 * them, read in any way. What comes out is what went in up to the first that is not allowed, and nothing behind it; the peer can read what
 * the library answers.
 */
#include "open_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { DATA_MOST = 1 << 19, STEPS = 200, EMPTY_MOST = 64, TICKET_MOST = 4 + 4 + 256 + 65537 + 65536 };

static uint8_t stream[DATA_MOST]; /* all data that the peer has sent */
static size_t sent, seen, allowed;
static struct open_conn o;
static struct keys our_keys; /* by which the peer opens */
static struct aead *our_aead;
static bool inbound;

/* The judge: the protocol once more, and simpler. */
static struct {
    uint8_t message[5];
    size_t have, left;
    int empty;
    bool over;    /* the end, or a mistake */
    bool mistake; /* the connection must break */
} judge;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    open_conn_init();
    for (size_t i = 0; i < sizeof stream; i++)
        stream[i] = (uint8_t)(i * 7 + i / 251);
    return 0;
}

static void mistake(void)
{
    judge.over = judge.mistake = true;
}

static void judge_byte(uint8_t byte, bool last)
{
    if (judge.have < 4) {
        judge.message[judge.have++] = byte;
        if (judge.have < 4)
            return;
        judge.left = (size_t)judge.message[1] << 16 | (size_t)judge.message[2] << 8 | judge.message[3];
        if (judge.message[0] == 24 ? judge.left != 1
                                   : judge.message[0] != 4 || inbound || judge.left > TICKET_MOST)
            mistake();
    } else {
        judge.message[4] = byte;
        judge.left--;
    }
    if (judge.over || judge.left > 0)
        return;
    judge.have = 0;
    if (judge.message[0] == 24 && (judge.message[4] > 1 || !last))
        mistake();
    else if (judge.message[0] == 24)
        peer_updates_keys(&o);
}

static void judge_record(uint8_t type, const uint8_t *content, size_t n)
{
    if (judge.over)
        return;
    if (type == RECORD_DATA) {
        judge.empty = n ? 0 : judge.empty + 1;
        if (judge.have || judge.empty > EMPTY_MOST)
            mistake();
        else
            allowed = sent;
        return;
    }
    if (++judge.empty > EMPTY_MOST || (type != RECORD_HANDSHAKE && type != RECORD_ALERT) || n == 0) {
        mistake();
    } else if (type == RECORD_ALERT) {
        judge.over = n != 2 || content[1] != 90;
        judge.mistake = judge.over && (n != 2 || content[1] != ALERT_CLOSE_NOTIFY);
    } else {
        for (size_t i = 0; i < n && !judge.over; i++)
            judge_byte(content[i], i + 1 == n);
    }
}

/* A type of 0 is padding: the type is the last byte before it. (Data that is not the stream's would be taken for it.) */
static void peer_says(uint8_t type, const uint8_t *content, size_t n, size_t late)
{
    size_t most = n;
    uint8_t inner = type;
    while (inner == 0 && n > 0)
        inner = content[--n];
    if (!judge.over && (type || inner != RECORD_DATA) && peer_sends(&o, type, content, most, late))
        judge_record(inner, content, n);
}

static void some_data(struct input *in)
{
    size_t n = input_u16(in) % (RECORD_PLAINTEXT + 1), late = input_u8(in) * (size_t)32;
    if (sent + n > sizeof stream || judge.over)
        return;
    sent += n;
    peer_says(RECORD_DATA, stream + sent - n, n, late);
}

static void key_update(struct input *in)
{
    uint8_t message[] = { 24, 0, 0, 1, input_u8(in) % 3 };
    size_t cut = input_u8(in) % sizeof message, late = input_u8(in) % 32;
    if (cut)
        peer_says(RECORD_HANDSHAKE, message, cut, late);
    peer_says(RECORD_HANDSHAKE, message + cut, sizeof message - cut, late);
}

static void ticket(struct input *in)
{
    uint8_t message[4 + 2000] = { 4 };
    size_t n = input_u16(in) % 2000, cut = input_u16(in) % (4 + n);
    message[2] = (uint8_t)(n >> 8);
    message[3] = (uint8_t)n;
    if (cut)
        peer_says(RECORD_HANDSHAKE, message, cut, 0);
    peer_says(RECORD_HANDSHAKE, message + cut, 4 + n - cut, input_u8(in) * (size_t)8);
}

static void anything(struct input *in)
{
    static const uint8_t types[] = { RECORD_HANDSHAKE, RECORD_ALERT, 20, 24, 0 };
    uint8_t content[300], type = types[input_u8(in) % sizeof types];
    size_t n = input_bytes(in, content, input_u8(in));
    peer_says(type, content, n, input_u8(in));
}

static void receive(struct input *in)
{
    static const int flags[] = { 0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL };
    int flag = flags[input_u8(in) % 4];
    size_t n = input_u16(in) % 40000;
    uint8_t *exact = malloc(n + 1);
    struct iovec span = { exact, n };
    struct iov out = iov_of(&span, 1);
    ssize_t got = stream_read(o.conn, o.fd, &out, flag | MSG_DONTWAIT);
    must(got <= (ssize_t)n && got >= -4095);
    if (got > 0) {
        must(seen + (size_t)got <= allowed);
        must(flag == MSG_TRUNC || memcmp(exact, stream + seen, (size_t)got) == 0);
        if (flag != MSG_PEEK)
            seen += (size_t)got;
    }
    free(exact);
}

static void ask(struct input *in)
{
    ssize_t n;
    if (input_u8(in) & 1) {
        stream_is_readable(o.conn, o.fd);
        return;
    }
    n = stream_available(o.conn, o.fd);
    must(n < 16384 || judge.have || judge.mistake || (size_t)n >= 16384);
    must(n <= 0 || n >= 16384 || seen + (size_t)n <= allowed);
}

static void transmit(struct input *in)
{
    size_t n = input_u16(in) % 2000;
    struct iovec span = { stream, n };
    struct iov from = iov_of(&span, 1);
    ssize_t put = stream_write(o.conn, o.fd, &from, MSG_DONTWAIT);
    must(put <= (ssize_t)n && put >= -4095);
}

/* The peer opens what the library has said, record by record, with the keys that its own KeyUpdates announce. */
static void peer_reads(void)
{
    static uint8_t bytes[1 << 18], plain[RECORD_MOST];
    size_t at = 0, n = 0;
    ssize_t got;
    while (n < sizeof bytes && (got = recv(o.peer, bytes + n, sizeof bytes - n, MSG_DONTWAIT)) > 0)
        n += (size_t)got;
    while (n - at >= RECORD_HEADER) {
        int total = record_length(bytes + at);
        struct iovec span = { plain, sizeof plain };
        struct iov out = iov_of(&span, 1);
        struct record record;
        must(total > 0);
        if (n - at < (size_t)total)
            break;
        must(record_open(our_aead, &our_keys, bytes + at, (size_t)total, &out, &record) == 0);
        at += (size_t)total;
        if (record.type != RECORD_HANDSHAKE)
            continue;
        must(record.length == 5 && plain[0] == 24 && plain[4] == 0 && keys_update(&our_keys));
        aead_free(our_aead);
        our_aead = aead_new((enum aead_suite)our_keys.suite, our_keys.key);
    }
}

/* All that was allowed has come, and then the end that it has come to. */
static void read_to_the_end(void)
{
    static uint8_t bytes[1 << 16];
    ssize_t got;
    must(peer_completes(&o));
    peer_is_heard(&o);
    for (int i = 0; i < 1000; i++) {
        struct iovec span = { bytes, sizeof bytes };
        struct iov out = iov_of(&span, 1);
        got = stream_read(o.conn, o.fd, &out, MSG_DONTWAIT);
        if (got <= 0)
            break;
        must(seen + (size_t)got <= allowed && memcmp(bytes, stream + seen, (size_t)got) == 0);
        seen += (size_t)got;
    }
    must(seen == allowed);
    must(judge.mistake ? got == -ECONNRESET || got == -EACCES || got == 0
                       : got == (judge.over ? 0 : -EAGAIN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const steps[])(struct input *) = { some_data, some_data, receive, receive,  key_update,
                                                     ticket,    anything,  ask,     transmit, receive };
    struct input in = { data, size };
    uint8_t how = input_u8(&in);
    memset(&judge, 0, sizeof judge);
    sent = seen = allowed = 0;
    inbound = how & 4;
    must(family_begin());
    o = open_conn_begin((enum aead_suite)(how % AEAD_SUITES), inbound);
    our_keys = o.conn->shared->tx.keys;
    our_aead = aead_new((enum aead_suite)our_keys.suite, our_keys.key);
    for (int i = 0; i < STEPS && in.left; i++)
        steps[input_u8(&in) % (sizeof steps / sizeof steps[0])](&in);
    peer_reads();
    read_to_the_end();
    aead_free(our_aead);
    open_conn_end(&o);
    return 0;
}
