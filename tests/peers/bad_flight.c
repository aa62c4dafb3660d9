/*
 * The encrypted part of our flight (a client's Certificate to Finished, a server's EncryptedExtensions to Finished), taken apart
 * into messages, with one thing wrong, and sealed anew.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "bad_cases.h"

#include "base/banned.h"

enum {
    END_OF_EARLY_DATA = 5,
    ENCRYPTED_EXTENSIONS = 8,
    CERTIFICATE = 11,
    CERTIFICATE_REQUEST = 13,
    CERTIFICATE_VERIFY = 15,
    FINISHED = 20,
    ALERT = 21,
    HANDSHAKE = 22,
    DATA = 23,
    MESSAGES = 24,
    MEGABYTE = 1 << 20
};

/* What goes into one record, or into several where it is longer than `piece`. */
struct message {
    uint8_t record; /* its type */
    uint8_t *data;
    size_t length;
};

struct flight {
    struct message messages[MESSAGES];
    size_t count, piece;
    int flipped, twice,
        swapped; /* the record that is altered, or sent twice, or after its successor; from 1 */
};

static struct message *find(struct flight *f, uint8_t type)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->messages[i].record == HANDSHAKE && f->messages[i].data[0] == type)
            return &f->messages[i];
    fprintf(stderr, "badpeer: no message %d in the flight\n", type);
    exit(3);
}

static uint8_t *copied(const void *data, size_t n)
{
    uint8_t *copy = calloc(1, n + 1);
    if (n > 0)
        memcpy(copy, data, n);
    return copy;
}

static void insert(struct flight *f, struct message *at, uint8_t record, const void *data, size_t n)
{
    memmove(at + 1, at, (size_t)(f->messages + f->count - at) * sizeof *at);
    *at = (struct message){ record, copied(data, n), n };
    f->count++;
}

static void drop(struct flight *f, uint8_t type)
{
    struct message *m = find(f, type);
    free(m->data);
    f->count--;
    memmove(m, m + 1, (size_t)(f->messages + f->count - m) * sizeof *m);
}

static void set_length(struct message *m)
{
    size_t n = m->length - 4;
    m->data[1] = (uint8_t)(n >> 16);
    m->data[2] = (uint8_t)(n >> 8);
    m->data[3] = (uint8_t)n;
}

/* A message of `n` zeros of content. */
static struct message *grow(struct message *m, size_t n)
{
    m->data = realloc(m->data, 4 + n);
    if (4 + n > m->length)
        memset(m->data + m->length, 0, 4 + n - m->length);
    m->length = 4 + n;
    set_length(m);
    return m;
}

/* ---- one thing wrong ---- */

static void alter_finished_wrong(struct flight *f)
{
    find(f, FINISHED)->data[10] ^= 1;
}

static void alter_finished_short(struct flight *f)
{
    grow(find(f, FINISHED), 31);
}

static void alter_finished_long(struct flight *f)
{
    grow(find(f, FINISHED), 33);
}

static void alter_data_for_finished(struct flight *f)
{
    drop(f, FINISHED);
    insert(f, f->messages + f->count, DATA, SECRET, strlen(SECRET));
}

static void alter_verify_wrong(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE_VERIFY);
    m->data[m->length - 1] ^= 1;
}

static void alter_verify_missing(struct flight *f)
{
    drop(f, CERTIFICATE_VERIFY);
}

static void alter_verify_pkcs1(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE_VERIFY);
    m->data[4] = 4, m->data[5] = 1; /* rsa_pkcs1_sha256, which TLS 1.3 does not sign with */
}

static void alter_verify_sha1(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE_VERIFY);
    m->data[4] = 2, m->data[5] = 3; /* ecdsa_sha1 */
}

static void alter_verify_other_curve(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE_VERIFY);
    m->data[4] = 5, m->data[5] = 3; /* ecdsa_secp384r1_sha384, for a P-256 key */
}

static void alter_verify_empty(struct flight *f)
{
    grow(find(f, CERTIFICATE_VERIFY), 0);
}

static void swap(struct message *a, struct message *b)
{
    struct message kept = *a;
    *a = *b;
    *b = kept;
}

static void alter_verify_first(struct flight *f)
{
    swap(find(f, CERTIFICATE), find(f, CERTIFICATE_VERIFY));
}

static void alter_certificate_missing(struct flight *f)
{
    drop(f, CERTIFICATE);
}

static void alter_certificate_twice(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE);
    insert(f, m, HANDSHAKE, m->data, m->length);
}

static void alter_certificate_garbage(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE);
    memset(m->data + 11, 0xa5, 40);
}

static void alter_certificate_cut(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE);
    grow(m, m->length - 4 - 30);
}

static void alter_certificate_context(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE);
    m->data[4] = 200; /* longer than what is there would allow, or not what was asked for */
}

static void alter_certificate_of_a_megabyte(struct flight *f)
{
    grow(find(f, CERTIFICATE), MEGABYTE);
}

static void alter_extensions_missing(struct flight *f)
{
    drop(f, ENCRYPTED_EXTENSIONS);
}

static void alter_extensions_unknown(struct flight *f)
{
    struct message *m = find(f, ENCRYPTED_EXTENSIONS);
    m->length = 4;
    grow(m, 6);
    memcpy(m->data + 4, "\0\4\72\72\0\0", 6);
}

static void alter_extensions_of_the_hello(struct flight *f)
{
    struct message *m = find(f, ENCRYPTED_EXTENSIONS);
    m->length = 4;
    grow(m, 8);
    memcpy(m->data + 4, "\0\6\0\63\0\2\0\35", 8); /* key_share has its place elsewhere */
}

static void alter_alpn_not_offered(struct flight *f)
{
    struct message *m = find(f, ENCRYPTED_EXTENSIONS);
    m->length = 4;
    grow(m, 11);
    memcpy(m->data + 4, "\0\11\0\20\0\5\0\3\2h2", 11);
}

static void alter_alpn_two(struct flight *f)
{
    struct message *m = find(f, ENCRYPTED_EXTENSIONS);
    m->length = 4;
    grow(m, 26);
    memcpy(m->data + 4, "\0\30\0\20\0\24\0\22\10meshshim\10http/1.1", 26);
}

static void alter_request_twice(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE_REQUEST);
    insert(f, m, HANDSHAKE, m->data, m->length);
}

static void alter_request_without_algorithms(struct flight *f)
{
    struct message *m = find(f, CERTIFICATE_REQUEST);
    m->length = 4;
    grow(m, 3);
}

static void alter_unknown_message(struct flight *f)
{
    insert(f, find(f, FINISHED), HANDSHAKE, "\143\0\0\0", 4);
}

static void alter_early_data_ended(struct flight *f)
{
    insert(f, f->messages, HANDSHAKE, "\5\0\0\0", 4);
}

static void alter_hello_request(struct flight *f)
{
    insert(f, f->messages, HANDSHAKE, "\0\0\0\0", 4);
}

static void alter_key_update_early(struct flight *f)
{
    insert(f, find(f, FINISHED), HANDSHAKE, "\30\0\0\1\0", 5);
}

static void alter_ticket_early(struct flight *f)
{
    insert(f, find(f, FINISHED), HANDSHAKE, "\4\0\0\15\0\0\0\1\0\0\0\0\0\0\0\0\0", 17);
}

static void alter_empty_fragment(struct flight *f)
{
    insert(f, find(f, CERTIFICATE), HANDSHAKE, "", 0);
}

static void alter_data_early(struct flight *f)
{
    insert(f, find(f, CERTIFICATE), DATA, SECRET, strlen(SECRET));
}

/* A message in two records, with `between` in between. */
static void interrupt(struct flight *f, uint8_t record, const void *between, size_t n)
{
    struct message *m = find(f, CERTIFICATE);
    insert(f, m, HANDSHAKE, m->data, 100);
    insert(f, m + 1, record, between, n);
    m[2].length -= 100;
    memmove(m[2].data, m[2].data + 100, m[2].length);
}

static void alter_data_in_a_message(struct flight *f)
{
    interrupt(f, DATA, SECRET, strlen(SECRET));
}

static void alter_alert_in_the_flight(struct flight *f)
{
    insert(f, find(f, CERTIFICATE), ALERT, "\2\120", 2);
}

static void alter_warning_in_the_flight(struct flight *f)
{
    insert(f, find(f, CERTIFICATE), ALERT, "\1\50", 2);
}

static void alter_goodbye_in_the_flight(struct flight *f)
{
    insert(f, find(f, FINISHED), ALERT, "\1\0", 2);
}

static void alter_sealed_change_cipher_spec(struct flight *f)
{
    insert(f, find(f, CERTIFICATE), 20, "\1", 1);
}

static void alter_sealed_heartbeat(struct flight *f)
{
    insert(f, find(f, CERTIFICATE), 24, "\1\100\0", 3);
}

static void alter_flipped_flight(struct flight *f)
{
    f->flipped = 1;
}

static void alter_replayed_flight(struct flight *f)
{
    f->twice = 1;
}

static void alter_swapped_flight(struct flight *f)
{
    f->swapped = 1;
}

static void alter_flight_in_pieces(struct flight *f)
{
    f->piece = 7;
}

static void alter_behind_finished(struct flight *f)
{
    struct message *m = find(f, FINISHED);
    insert(f, m + 1, HANDSHAKE, m->data, m->length);
}

static void alter_half_a_flight(struct flight *f)
{
    drop(f, FINISHED);
    drop(f, CERTIFICATE_VERIFY);
}

static void alter_nothing_but_finished(struct flight *f)
{
    drop(f, CERTIFICATE);
    drop(f, CERTIFICATE_VERIFY);
}

/* ---- there and back ---- */

/* OpenSSL's output up to our Finished; a server's hello is already gone. */
static size_t whole_flight(struct peer *peer, uint8_t *out)
{
    uint8_t hello[FLIGHT];
    size_t n = first_flight(peer, hello), first = n < 5 ? 0 : 5 + ((size_t)hello[3] << 8 | hello[4]);
    int result;
    if (first == 0)
        return 0;
    raw_send(peer, hello, first);
    if (peer->options->server) {
        memcpy(out, hello + first, n - first);
        return n - first;
    }
    while ((result = SSL_do_handshake(peer->ssl)) != 1)
        if (SSL_get_error(peer->ssl, result) != SSL_ERROR_WANT_READ || !raw_fill(peer, PATIENCE))
            return 0;
    return peer_output(peer, out, FLIGHT);
}

static void split(struct flight *f, const uint8_t *data, size_t n)
{
    while (n >= 4 && f->count < MESSAGES - 4) {
        size_t length = 4 + ((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]);
        f->messages[f->count++] = (struct message){ HANDSHAKE, copied(data, length), length };
        data += length;
        n -= length < n ? length : n;
    }
}

static bool take_flight(struct peer *peer, struct flight *f)
{
    uint8_t data[FLIGHT], plain[2 * FLIGHT];
    size_t n = whole_flight(peer, data), at = 0, have = 0, record, got;
    if (n == 0)
        return false;
    forge_start(peer, HANDSHAKE_SECRET);
    for (; at + 5 < n; at += record) {
        record = 5 + ((size_t)data[at + 3] << 8 | data[at + 4]);
        if (data[at] != DATA) { /* change_cipher_spec, for old boxes in between */
            raw_send(peer, data + at, record);
            continue;
        }
        got = unseal(peer, data + at, record, plain + have);
        have += got > 0 ? got - 1 : 0; /* without the type */
    }
    split(f, plain, have);
    forge_start(peer, HANDSHAKE_SECRET);
    f->piece = 16384;
    return f->count > 0;
}

static bool send_message(struct peer *peer, const struct flight *f, const struct message *m, int *number)
{
    size_t at = 0;
    do {
        size_t n = m->length - at < f->piece ? m->length - at : f->piece;
        uint64_t sequence = peer->sequence;
        bool swapped = ++*number == f->swapped || (f->swapped && *number == f->swapped + 1);
        if (*number == f->flipped)
            peer->key[0] ^= 1;
        if (swapped)
            peer->sequence ^= 1;
        if (!forge(peer, m->record, m->data + at, n, 0))
            return false;
        if (swapped)
            peer->sequence = sequence + 1;
        if (*number == f->twice) {
            peer->sequence = sequence;
            forge(peer, m->record, m->data + at, n, 0);
        }
        at += n;
    } while (at < m->length);
    return true;
}

static void send_flight(struct peer *peer, struct flight *f)
{
    int number = 0;
    for (size_t i = 0; i < f->count; i++)
        if (!send_message(peer, f, &f->messages[i], &number))
            break;
    for (size_t i = 0; i < f->count; i++)
        free(f->messages[i].data);
}

typedef void alter(struct flight *flight);

static bool altered_flight(struct peer *peer, alter *change)
{
    struct flight flight = { .count = 0 };
    if (!take_flight(peer, &flight)) {
        say("no flight to alter");
        return false;
    }
    change(&flight);
    send_flight(peer, &flight);
    return true;
}

static void wrong_flight(struct peer *peer, alter *change)
{
    if (altered_flight(peer, change))
        raw_drain(peer, PATIENCE);
}

#define CASE(name, as_client, as_server)
#define ALTERED(name, as_client, as_server)                                                                  \
    void case_##name(struct peer *peer)                                                                      \
    {                                                                                                        \
        wrong_flight(peer, alter_##name);                                                                    \
    }
#include "bad_cases.def"

/* Seven bytes of each message a record: unusual, and allowed. */
void case_flight_in_pieces(struct peer *peer)
{
    if (!altered_flight(peer, alter_flight_in_pieces) || !peer_handshake(peer))
        return;
    talk(peer, 3);
    goodbye(peer);
}
