/* Records that must be refused, and that nothing of one that was is seen; by each AEAD engine. */
#include "sides.h"

static void flip_bits(size_t room)
{
    for (int suite = 0; suite < AEAD_SUITES; suite++) {
        struct side side = side_new(suite, NULL);
        size_t total = seal(&side, RECORD_DATA, plain + 1, 40);
        for (size_t bit = 0; bit < total * 8; bit++) {
            struct record record;
            struct iovec v = { opened, room };
            struct iov out = iov_of(&v, 1);
            memset(opened, 0xee, 64);
            sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
            CU_ASSERT_TRUE(record_open(side.open, &side.receiver, sealed, total, &out, &record) < 0);
            CU_ASSERT_EQUAL(out.left, room);
            CU_ASSERT_EQUAL(opened[40], 0xee);
            CU_ASSERT_EQUAL(side.receiver.seq, 0);
            if (bit / 8 >= RECORD_HEADER) /* it came as far as the tag: nothing of it may remain */
                CU_ASSERT_TRUE(all_zero(opened, 40));
            sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        struct record record;
        CU_ASSERT_EQUAL(open_record(&side, total, &record), 0);
        side_free(&side);
    }
}

/*
 * One bit flipped, anywhere: the version's two bytes are authenticated too, the type and length judged first. With room behind, a record is
 * opened in one piece.
 */
static void flipped_bits(void)
{
    flip_bits(40);
    flip_bits(60);
}

static void replay_and_reorder_are_refused(void)
{
    struct side side = side_new(AEAD_AES_128_GCM, NULL);
    struct record record;
    size_t total = seal(&side, RECORD_DATA, plain, 10);

    CU_ASSERT_EQUAL(open_record(&side, total, &record), 0);
    CU_ASSERT_EQUAL(open_record(&side, total, &record), -ALERT_BAD_RECORD_MAC);
    seal(&side, RECORD_DATA, plain, 10);
    total = seal(&side, RECORD_DATA, plain, 10);
    CU_ASSERT_EQUAL(open_record(&side, total, &record), -ALERT_BAD_RECORD_MAC);
    side_free(&side);
}

static void check_inner_refused(const uint8_t *inner, size_t n, int alert)
{
    struct side side = side_new(AEAD_AES_128_GCM, NULL);
    struct record record;
    size_t total = seal_inner(&side, inner, n);

    memset(opened, 0xee, n);
    CU_ASSERT_EQUAL(open_record(&side, total, &record), -alert);
    if (alert == ALERT_UNEXPECTED_MESSAGE)
        CU_ASSERT_TRUE(all_zero(opened, n - 1));
    side_free(&side);
}

static void inner_that_is_refused(void)
{
    uint8_t inner[RECORD_PLAINTEXT + 100];

    memset(inner, 0, sizeof inner);
    check_inner_refused(inner, 1, ALERT_UNEXPECTED_MESSAGE); /* zeros alone: no type */
    check_inner_refused(inner, 100, ALERT_UNEXPECTED_MESSAGE);
    check_inner_refused(inner, RECORD_PLAINTEXT + 1, ALERT_UNEXPECTED_MESSAGE);
    for (int type = 1; type < 256; type++) {
        bool known = type == RECORD_ALERT || type == RECORD_HANDSHAKE || type == RECORD_DATA;
        inner[0] = 'x';
        inner[1] = (uint8_t)type;
        if (!known)
            check_inner_refused(inner, 2, ALERT_UNEXPECTED_MESSAGE);
    }
    inner[0] = RECORD_ALERT; /* without content */
    inner[1] = 0;
    check_inner_refused(inner, 1, ALERT_UNEXPECTED_MESSAGE);
    check_inner_refused(inner, 9, ALERT_UNEXPECTED_MESSAGE);
    inner[0] = RECORD_HANDSHAKE;
    check_inner_refused(inner, 1, ALERT_UNEXPECTED_MESSAGE);
    inner[0] = 'x'; /* one byte too long, with and without padding */
    memset(inner, 'x', sizeof inner);
    inner[RECORD_PLAINTEXT + 1] = RECORD_DATA;
    check_inner_refused(inner, RECORD_PLAINTEXT + 2, ALERT_RECORD_OVERFLOW);
}

static void headers(void)
{
    static const struct {
        uint8_t header[RECORD_HEADER];
        int result;
    } cases[] = {
        { { 23, 3, 3, 0, 17 }, 22 },
        { { 23, 3, 1, 0, 17 }, 22 }, /* the version is to be ignored */
        { { 23, 3, 3, 0x41, 0x00 }, RECORD_MOST },
        { { 23, 3, 3, 0x41, 0x01 }, -ALERT_RECORD_OVERFLOW },
        { { 23, 3, 3, 0xff, 0xff }, -ALERT_RECORD_OVERFLOW },
        { { 23, 3, 3, 0, 16 }, -ALERT_BAD_RECORD_MAC },
        { { 23, 3, 3, 0, 0 }, -ALERT_BAD_RECORD_MAC },
        { { 20, 3, 3, 0, 1 }, -ALERT_UNEXPECTED_MESSAGE },
        { { 21, 3, 3, 0, 2 }, -ALERT_UNEXPECTED_MESSAGE },
        { { 22, 3, 3, 0, 40 }, -ALERT_UNEXPECTED_MESSAGE },
        { { 'G', 'E', 'T', ' ', '/' }, -ALERT_UNEXPECTED_MESSAGE },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(record_length(cases[i].header), cases[i].result);
}

/* A caller's mistakes end in an alert, not in memory. */
static void room_and_length_are_checked(void)
{
    struct side side = side_new(AEAD_AES_128_GCM, NULL);
    struct record record;
    size_t total = seal(&side, RECORD_DATA, plain, 100);
    struct iovec v = { opened, 99 };
    struct iov out = iov_of(&v, 1);

    CU_ASSERT_EQUAL(record_open(side.open, &side.receiver, sealed, total, &out, &record),
                    -ALERT_INTERNAL_ERROR);
    v.iov_len = 200;
    out = iov_of(&v, 1);
    CU_ASSERT_EQUAL(record_open(side.open, &side.receiver, sealed, total - 1, &out, &record),
                    -ALERT_INTERNAL_ERROR);
    CU_ASSERT_EQUAL(seal(&side, RECORD_DATA, plain, RECORD_PLAINTEXT + 1), 0);
    side_free(&side);
}

/* Plaintext that fits neither `out` nor `rest` is an error before anything is written. */
static void aead_rest(void)
{
    static const uint8_t nonce[AEAD_NONCE] = { 9 }, key[AEAD_KEY] = { 8 };
    struct aead *aead = aead_new(AEAD_AES_128_GCM, key);
    struct iovec v = { plain, 50 }, to = { opened, 20 };
    struct iov in = iov_of(&v, 1), out = iov_of(&to, 1);
    uint8_t rest[40];

    CU_ASSERT_TRUE_FATAL(aead_seal(aead, nonce, NULL, 0, &in, 50, NULL, 0, sealed));
    CU_ASSERT_FALSE(aead_open(aead, nonce, NULL, 0, sealed, 50, &out, rest, 29));
    CU_ASSERT_EQUAL(out.left, 20);
    CU_ASSERT_TRUE(aead_open(aead, nonce, NULL, 0, sealed, 50, &out, rest, 30));
    CU_ASSERT_EQUAL(out.left, 0);
    CU_ASSERT_EQUAL(memcmp(opened, plain, 20), 0);
    CU_ASSERT_EQUAL(memcmp(rest, plain + 20, 30), 0);
    out = iov_of(&to, 1);
    sealed[65] ^= 1;
    CU_ASSERT_FALSE(aead_open(aead, nonce, NULL, 0, sealed, 50, &out, rest, sizeof rest));
    CU_ASSERT_TRUE(all_zero(opened, 20) && all_zero(rest, 30));
    CU_ASSERT_EQUAL(out.left, 20);
    aead_free(aead);
    aead_free(NULL);
}

static CU_TestInfo tests[] = {
    { "a flipped bit anywhere", flipped_bits },
    { "replay and reordering", replay_and_reorder_are_refused },
    { "inner plaintext that is refused", inner_that_is_refused },
    { "headers", headers },
    { "room and length are checked", room_and_length_are_checked },
    { "the rest behind a full buffer", aead_rest },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return run_by_each("refused records", tests);
}
