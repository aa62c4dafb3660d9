/* Records: RFC 8448 §3 byte for byte, round trips, padding, changes of keys; by each AEAD engine. */
#include <sys/mman.h>

#include "sides.h"

#define CLIENT_SECRET "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
#define SERVER_SECRET "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"

/* A record of the RFC: what we seal is its bytes, and what we open of its bytes is ours. */
static void check_vector(const char *secret, uint64_t seq, uint8_t type, const uint8_t *data, size_t n,
                         const char *hex)
{
    struct side side = side_new(AEAD_AES_128_GCM, secret);
    struct record record;

    side.sender.seq = side.receiver.seq = seq;
    CU_ASSERT_EQUAL(seal(&side, type, data, n), n + RECORD_OVERHEAD);
    CU_ASSERT_TRUE(hex_equal(hex, sealed));
    hex_read(hex, sealed);
    CU_ASSERT_EQUAL(record_length(sealed), (int)(n + RECORD_OVERHEAD));
    CU_ASSERT_EQUAL_FATAL(open_record(&side, n + RECORD_OVERHEAD, &record), 0);
    CU_ASSERT_EQUAL(record.type, type);
    CU_ASSERT_EQUAL(record.length, n);
    CU_ASSERT_EQUAL(memcmp(opened, data, n), 0);
    CU_ASSERT_EQUAL(side.receiver.seq, seq + 1);
    side_free(&side);
}

/* The server's sequence number 0 went to its NewSessionTicket. */
static void rfc8448_records(void)
{
    static const uint8_t close_notify[] = { 1, 0 };
    uint8_t data[50];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    check_vector(
        CLIENT_SECRET, 0, RECORD_DATA, data, sizeof data,
        "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f"
        "2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6"
        "3a ee bb 21 69 49 15 e4");
    check_vector(
        SERVER_SECRET, 1, RECORD_DATA, data, sizeof data,
        "17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36"
        "e3 0e fa f9 7d 90 e6 df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54"
        "0d d0 32 e1 67 c2 95 5d");
    check_vector(CLIENT_SECRET, 1, RECORD_ALERT, close_notify, 2,
                 "17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3");
    check_vector(SERVER_SECRET, 2, RECORD_ALERT, close_notify, 2,
                 "17 03 03 00 13 b5 8f d6 71 66 eb f5 99 d2 47 20 cf be 7e fa 7a 88 64 a9");
}

static void round_trips(void)
{
    static const size_t sizes[] = { 0, 1, 2, 15, 16, 17, 255, 1024, 16383, 16384 };

    for (int suite = 0; suite < AEAD_SUITES; suite++) {
        struct side side = side_new(suite, NULL);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            size_t n = sizes[i];
            struct record record;
            CU_ASSERT_EQUAL(seal(&side, RECORD_DATA, plain, n), n + RECORD_OVERHEAD);
            memset(opened, 0xee, sizeof opened);
            CU_ASSERT_EQUAL(open_record(&side, n + RECORD_OVERHEAD, &record), 0);
            CU_ASSERT_EQUAL(record.type, RECORD_DATA);
            CU_ASSERT_EQUAL(record.length, n);
            CU_ASSERT_EQUAL(memcmp(opened, plain, n), 0);
            CU_ASSERT_EQUAL(opened[n], 0xee); /* the type stayed out of the program's buffer */
        }
        CU_ASSERT_EQUAL(side.sender.seq, sizeof sizes / sizeof sizes[0]);
        CU_ASSERT_EQUAL(side.receiver.seq, side.sender.seq);
        side_free(&side);
    }
}

/* Not a byte behind what the caller has left is touched, though the element goes on: here it goes on where nobody may write. */
static void element_goes_on(void)
{
    enum { PAGE = 4096, LENGTH = 100 };
    uint8_t *pages = mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CU_ASSERT_NOT_EQUAL_FATAL(pages, MAP_FAILED);
    CU_ASSERT_EQUAL_FATAL(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
    for (int suite = 0; suite < AEAD_SUITES; suite++) {
        struct side side = side_new(suite, NULL);
        struct iovec v = { pages + PAGE - LENGTH, LENGTH + 1 };
        struct iov out = iov_of(&v, 1);
        struct record record;
        size_t total = seal(&side, RECORD_DATA, plain, LENGTH);
        out.left = LENGTH;
        CU_ASSERT_EQUAL(record_open(side.open, &side.receiver, sealed, total, &out, &record), 0);
        CU_ASSERT_EQUAL(memcmp(v.iov_base, plain, LENGTH), 0);
        side_free(&side);
    }
    munmap(pages, (size_t)2 * PAGE);
}

/* Pieces of 0, 1, 2, 3, … bytes at odd places, on both sides, and room to spare behind. */
static void scattered(void)
{
    enum { PIECES = 60 };
    struct iovec from[PIECES], to[PIECES];
    struct side side = side_new(AEAD_AES_128_GCM, NULL);
    struct record record;
    size_t n = 0, at = 0;

    for (size_t i = 0; i < PIECES; i++) {
        size_t back = PIECES - 1 - i;
        from[i] = (struct iovec){ plain + n, i % 7 ? i : 0 };
        n += from[i].iov_len;
        to[i] = (struct iovec){ opened + at, back % 5 ? back : 0 };
        at += to[i].iov_len + 1;
    }
    struct iov in = iov_of(from, PIECES), out = iov_of(to, PIECES);
    n = n < out.left ? n : out.left - 10;
    n -= 10;
    size_t total = record_seal(side.seal, &side.sender, RECORD_DATA, &in, n, sealed);
    memset(opened, 0xee, sizeof opened);
    CU_ASSERT_EQUAL_FATAL(total, n + RECORD_OVERHEAD);
    CU_ASSERT_EQUAL_FATAL(record_open(side.open, &side.receiver, sealed, total, &out, &record), 0);
    CU_ASSERT_EQUAL(record.length, n);
    size_t seen = 0;
    for (size_t i = 0; i < PIECES && seen < n; i++) {
        size_t here = to[i].iov_len < n - seen ? to[i].iov_len : n - seen;
        CU_ASSERT_EQUAL(memcmp(to[i].iov_base, plain + seen, here), 0);
        CU_ASSERT_EQUAL(((uint8_t *)to[i].iov_base)[here],
                        0xee); /* gaps and what lies behind are untouched */
        seen += here;
    }
    side_free(&side);
}

static void in_place(void)
{
    for (int suite = 0; suite < AEAD_SUITES; suite++) {
        struct side side = side_new(suite, NULL);
        struct record record;
        memcpy(sealed + RECORD_HEADER, plain, 5000);
        struct iovec v = { sealed + RECORD_HEADER, 5000 };
        struct iov in = iov_of(&v, 1);
        size_t total = record_seal(side.seal, &side.sender, RECORD_DATA, &in, 5000, sealed);
        CU_ASSERT_EQUAL_FATAL(total, 5000 + RECORD_OVERHEAD);
        CU_ASSERT_EQUAL(open_record(&side, total, &record), 0);
        CU_ASSERT_EQUAL(memcmp(opened, plain, 5000), 0);
        side_free(&side);
    }
}

/* Content, type, zeros: every split of a small record, and the largest. */
static void padding(void)
{
    struct side side = side_new(AEAD_AES_128_GCM, NULL);
    uint8_t inner[RECORD_PLAINTEXT + 1];
    struct record record;

    for (size_t n = 1; n <= 40; n++) {
        memset(inner, 0, sizeof inner);
        memset(inner, 0x55, n - 1);
        inner[n - 1] = RECORD_HANDSHAKE;
        size_t total = seal_inner(&side, inner, 60);
        CU_ASSERT_EQUAL(open_record(&side, total, &record), n == 1 ? -ALERT_UNEXPECTED_MESSAGE : 0);
        if (n == 1)
            continue;
        CU_ASSERT_EQUAL(record.type, RECORD_HANDSHAKE);
        CU_ASSERT_EQUAL(record.length, n - 1);
        CU_ASSERT_EQUAL(memcmp(opened, inner, n - 1), 0);
        CU_ASSERT_TRUE(all_zero(opened + n - 1, 60 - n));
    }
    memset(inner, 0, sizeof inner);
    inner[0] = RECORD_DATA;
    size_t total = seal_inner(&side, inner, sizeof inner);
    CU_ASSERT_EQUAL(open_record(&side, total, &record), 0);
    CU_ASSERT_EQUAL(record.type, RECORD_DATA);
    CU_ASSERT_EQUAL(record.length, 0);
    side_free(&side);
}

/* Padding that ends in another element than the type, across elements of every length. */
static void padding_scattered(void)
{
    struct side side = side_new(AEAD_AES_128_GCM, NULL);
    uint8_t inner[30] = "abcdefg";
    inner[7] = RECORD_DATA;

    for (size_t step = 1; step < 30; step++) {
        struct iovec v[32];
        size_t count = 0;
        struct record record;
        for (size_t at = 0; at < 29; at += step)
            v[count++] = (struct iovec){ opened + at, at + step < 29 ? step : 29 - at };
        struct iov out = iov_of(v, count);
        size_t total = seal_inner(&side, inner, sizeof inner);
        CU_ASSERT_EQUAL_FATAL(record_open(side.open, &side.receiver, sealed, total, &out, &record), 0);
        CU_ASSERT_EQUAL(record.length, 7);
        CU_ASSERT_EQUAL(out.left, 22);
        CU_ASSERT_EQUAL(memcmp(opened, "abcdefg", 7), 0);
        CU_ASSERT_TRUE(all_zero(opened + 7, 22));
    }
    side_free(&side);
}

static void sequence_numbers_never_wrap(void)
{
    struct side side = side_new(AEAD_CHACHA20_POLY1305, NULL);
    struct record record;
    size_t total;

    side.sender.seq = side.receiver.seq = UINT64_MAX - 1;
    total = seal(&side, RECORD_DATA, plain, 10);
    CU_ASSERT_EQUAL(open_record(&side, total, &record), 0);
    CU_ASSERT_EQUAL(seal(&side, RECORD_DATA, plain, 10), 0);
    CU_ASSERT_EQUAL(side.sender.seq, UINT64_MAX);
    CU_ASSERT_EQUAL(open_record(&side, total, &record), -ALERT_INTERNAL_ERROR);
    CU_ASSERT_EQUAL(side.receiver.seq, UINT64_MAX);
    side_free(&side);
}

static void when_keys_are_to_be_changed(void)
{
    struct keys keys = { .suite = AEAD_AES_128_GCM, .seq = 0 };

    CU_ASSERT_FALSE(record_wants_update(&keys));
    keys.seq = (UINT64_C(1) << 23) - 1;
    CU_ASSERT_FALSE(record_wants_update(&keys));
    keys.seq++;
    CU_ASSERT_TRUE(record_wants_update(&keys));
    keys.suite = AEAD_AES_256_GCM;
    CU_ASSERT_TRUE(record_wants_update(&keys));
    keys.suite = AEAD_CHACHA20_POLY1305;
    keys.seq = UINT64_MAX - 1;
    CU_ASSERT_FALSE(record_wants_update(&keys));
}

/* Both ends change keys between records: what was sealed before does not open after, and the other way round.
 */
static void key_update(void)
{
    for (int suite = 0; suite < AEAD_SUITES; suite++) {
        struct side side = side_new(suite, NULL);
        for (int generation = 0; generation < 4; generation++) {
            struct record record;
            size_t total = seal(&side, RECORD_DATA, plain, 33);
            CU_ASSERT_EQUAL(open_record(&side, total, &record), 0);
            CU_ASSERT_TRUE_FATAL(keys_update(&side.sender));
            aead_free(side.seal);
            side.seal = aead_new(suite, side.sender.key);
            total = seal(&side, RECORD_DATA, plain, 33);
            CU_ASSERT_EQUAL(open_record(&side, total, &record), -ALERT_BAD_RECORD_MAC);
            CU_ASSERT_TRUE_FATAL(keys_update(&side.receiver));
            aead_free(side.open);
            side.open = aead_new(suite, side.receiver.key);
            CU_ASSERT_EQUAL(open_record(&side, total, &record), 0);
        }
        side_free(&side);
    }
}

static void alert_names(void)
{
    CU_ASSERT_STRING_EQUAL(record_alert_name(0), "close_notify");
    CU_ASSERT_STRING_EQUAL(record_alert_name(42), "bad_certificate");
    CU_ASSERT_STRING_EQUAL(record_alert_name(116), "certificate_required");
    CU_ASSERT_STRING_EQUAL(record_alert_name(1), "unknown alert");
    CU_ASSERT_STRING_EQUAL(record_alert_name(255), "unknown alert");
}

/* A record that is shortened by a byte is as long as it was, and the same up to that byte: by every suite. */
static void shortened(void)
{
    enum { LENGTH = 1000, SAME = RECORD_HEADER + LENGTH - 1 };
    static uint8_t again[LENGTH + RECORD_OVERHEAD];

    for (int suite = 0; suite < AEAD_SUITES; suite++) {
        struct side side = side_new(suite, NULL);
        struct iovec span = { plain, LENGTH };
        struct iov in = iov_of(&span, 1);
        struct record record;
        CU_ASSERT_EQUAL(seal(&side, RECORD_DATA, plain, LENGTH), LENGTH + RECORD_OVERHEAD);
        CU_ASSERT_EQUAL(record_seal_padded(side.seal, &side.sender, side.sender.seq - 1, RECORD_DATA, &in,
                                           LENGTH - 1, again),
                        LENGTH + RECORD_OVERHEAD);
        CU_ASSERT_EQUAL(memcmp(again, sealed, SAME), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(again, sealed, sizeof again), 0);
        memcpy(sealed, again, sizeof again);
        CU_ASSERT_EQUAL(open_record(&side, sizeof again, &record), 0);
        CU_ASSERT_EQUAL(record.length, LENGTH - 1);
        CU_ASSERT_EQUAL(record.type, RECORD_DATA);
        CU_ASSERT_EQUAL(memcmp(opened, plain, LENGTH - 1), 0);
        side_free(&side);
    }
}

static CU_TestInfo tests[] = {
    { "RFC 8448 records, both directions", rfc8448_records },
    { "round trips of every suite and size", round_trips },
    { "an element that goes on behind what is left", element_goes_on },
    { "scattered buffers", scattered },
    { "sealing in place", in_place },
    { "padding", padding },
    { "a record that is shortened", shortened },
    { "padding over scattered buffers", padding_scattered },
    { "sequence numbers never wrap", sequence_numbers_never_wrap },
    { "when keys are to be changed", when_keys_are_to_be_changed },
    { "key updates", key_update },
    { "names of alerts", alert_names },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return run_by_each("records", tests);
}
