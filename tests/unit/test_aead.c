/* The engines behind the AEADs: each alone, each against the others, and the choice between them. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "base/vault.h"
#include "tls/aead_engine.h"

#define MOST   (17 * 1024)
#define ROOM   (MOST + 64)
#define PIECES 8

static uint8_t plain[ROOM], sealed[ROOM], other[ROOM], opened[ROOM], one[ROOM], rest[ROOM];

/* A message and how its buffer is cut. */
struct message {
    uint8_t key[AEAD_KEY], nonce[AEAD_NONCE], aad[32];
    size_t aad_length, length, tail_length, pieces;
    uint8_t tail[20];
};

/* Numbers that look random and are the same in each run. */
static uint32_t draw(void)
{
    static uint64_t state = 20250101;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static void draw_bytes(uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)draw();
}

static struct message draw_message(size_t length)
{
    struct message m = { .length = length,
                         .aad_length = draw() % 3 ? 5 : draw() % 33,
                         .tail_length = draw() % 3 ? 1 : draw() % 21,
                         .pieces = 1 + draw() % PIECES };
    draw_bytes(m.key, sizeof m.key);
    draw_bytes(m.nonce, sizeof m.nonce);
    draw_bytes(m.aad, sizeof m.aad);
    draw_bytes(m.tail, sizeof m.tail);
    return m;
}

/* Cuts n bytes into pieces of any length, none among them. */
static struct iov cut(struct iovec *v, uint8_t *data, size_t n, size_t pieces)
{
    for (size_t i = 0; i < pieces; i++) {
        size_t length = i + 1 == pieces ? n : draw() % (n + 1);
        v[i] = (struct iovec){ data, length };
        data += length;
        n -= length;
    }
    return iov_of(v, pieces);
}

static struct aead *made_by(const struct aead_engine *engine, enum aead_suite suite, const uint8_t *key)
{
    struct aead *aead;

    CU_ASSERT_TRUE_FATAL(aead_prefer(engine->name));
    aead = aead_new(suite, key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(aead);
    return aead;
}

static bool seal_by(const struct aead_engine *engine, enum aead_suite suite, const struct message *m,
                    struct iov in, uint8_t *out)
{
    struct aead *aead = made_by(engine, suite, m->key);
    bool done =
        aead_seal(aead, m->nonce, m->aad, m->aad_length, &in, m->length, m->tail, m->tail_length, out);
    aead_free(aead);
    return done;
}

/* In one piece it is the same: tail and all, not a byte more, and nothing where it is refused. */
static void open_whole(struct aead *aead, const struct message *m, bool good)
{
    size_t length = m->length + m->tail_length, zeros = 0;

    memset(one, 0xA5, sizeof one);
    CU_ASSERT_EQUAL(aead_open_whole(aead, m->nonce, m->aad, m->aad_length, sealed, length, one), good);
    CU_ASSERT_EQUAL(one[length], 0xA5);
    if (good) {
        CU_ASSERT_EQUAL(memcmp(one, opened, m->length), 0);
        CU_ASSERT_EQUAL(memcmp(one + m->length, rest, m->tail_length), 0);
        return;
    }
    while (zeros < length && one[zeros] == 0)
        zeros++;
    CU_ASSERT_EQUAL(zeros, length);
}

/* Opens `sealed`: all but the tail into `opened`, cut anew, the tail into `rest`. */
static bool open_by(const struct aead_engine *engine, enum aead_suite suite, const struct message *m)
{
    struct aead *aead = made_by(engine, suite, m->key);
    struct iovec v[PIECES];
    struct iov out = cut(v, opened, m->length, m->pieces);
    bool done = aead_open(aead, m->nonce, m->aad, m->aad_length, sealed, m->length + m->tail_length, &out,
                          rest, sizeof rest);
    CU_ASSERT_EQUAL(out.left, done ? 0 : m->length);
    open_whole(aead, m, done);
    aead_free(aead);
    return done;
}

/* Every engine seals to the bytes that the last, OpenSSL's, seals to, and opens them. */
static void compare(size_t length)
{
    for (int suite = 0; suite < AEAD_SUITES; suite++) {
        struct message m = draw_message(length);
        size_t total = m.length + m.tail_length + AEAD_TAG;
        struct iovec v[PIECES], whole = { plain, m.length };

        CU_ASSERT_TRUE(seal_by(&aead_evp, suite, &m, iov_of(&whole, 1), sealed));
        for (size_t e = 0; aead_engines[e]; e++) {
            if (!aead_engines[e]->available())
                continue;
            memset(other, 0xA5, sizeof other);
            CU_ASSERT_TRUE(seal_by(aead_engines[e], suite, &m, cut(v, plain, m.length, m.pieces), other));
            CU_ASSERT_EQUAL(memcmp(other, sealed, total), 0);
            CU_ASSERT_EQUAL(other[total], 0xA5);
            CU_ASSERT_TRUE(open_by(aead_engines[e], suite, &m));
            CU_ASSERT_EQUAL(memcmp(opened, plain, m.length), 0);
            CU_ASSERT_EQUAL(memcmp(rest, m.tail, m.tail_length), 0);
        }
    }
}

static void engines_agree(void)
{
    draw_bytes(plain, sizeof plain);
    for (size_t length = 0; length <= 1100; length++)
        compare(length);
    for (int i = 0; i < 300; i++)
        compare(draw() % MOST);
    for (size_t blocks = 70; blocks <= 1024; blocks += 53)
        for (size_t off = 0; off < 3; off++)
            compare(blocks * 16 - 1 + off);
}

/* Any alignment of both buffers, and both the same. */
static void alignments_and_in_place(void)
{
    for (size_t e = 0; aead_engines[e]; e++) {
        for (size_t at = 0; aead_engines[e]->available() && at < 33; at++) {
            struct message m = draw_message(700 + at * 41);
            struct iovec here = { other + at, m.length }, from = { plain + 33 - at, m.length };

            memcpy(other + at, plain + 33 - at, m.length);
            CU_ASSERT_TRUE(seal_by(aead_engines[e], AEAD_AES_128_GCM, &m, iov_of(&here, 1), other + at));
            CU_ASSERT_TRUE(seal_by(&aead_evp, AEAD_AES_128_GCM, &m, iov_of(&from, 1), sealed));
            CU_ASSERT_EQUAL(memcmp(other + at, sealed, m.length + m.tail_length + AEAD_TAG), 0);
        }
    }
}

/* Where memory ends: behind is a page that nobody may read or write. */
static uint8_t *edge_of_memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CU_ASSERT_NOT_EQUAL_FATAL(pages, MAP_FAILED);
    CU_ASSERT_EQUAL_FATAL(mprotect(pages + page, page, PROT_NONE), 0);
    return pages + page;
}

/* Assembly likes to load and store whole vectors: never behind the tag, nor behind the plaintext. */
static void nothing_is_touched_behind(void)
{
    static const uint8_t key[AEAD_KEY] = { 7 }, nonce[AEAD_NONCE] = { 8 };
    uint8_t *from = edge_of_memory(), *to = edge_of_memory();

    for (size_t e = 0; aead_engines[e]; e++) {
        for (int suite = 0; aead_engines[e]->available() && suite < AEAD_SUITES; suite++) {
            struct aead *aead = made_by(aead_engines[e], suite, key);
            for (size_t n = 0; n <= 1100; n++) {
                uint8_t *in = from - n - AEAD_TAG;
                struct iovec v = { plain, n };
                struct iov message = iov_of(&v, 1);
                CU_ASSERT_TRUE(aead_seal(aead, nonce, NULL, 0, &message, n, NULL, 0, in));
                CU_ASSERT_TRUE(aead_open_whole(aead, nonce, NULL, 0, in, n, to - n));
                CU_ASSERT_EQUAL(memcmp(to - n, plain, n), 0);
            }
            aead_free(aead);
        }
    }
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
    while (n > 0 && bytes[n - 1] == 0)
        n--;
    return n == 0;
}

/* A bit of the ciphertext, the tag, the nonce or the additional data: refused, and what was written is wiped. */
static void refuse_flips(const struct aead_engine *engine, enum aead_suite suite, size_t length)
{
    struct message m = draw_message(length);
    struct iovec whole = { plain, m.length };
    size_t total = m.length + m.tail_length + AEAD_TAG;

    m.aad_length = 5;
    CU_ASSERT_TRUE_FATAL(seal_by(engine, suite, &m, iov_of(&whole, 1), sealed));
    for (size_t i = 0; i < total; i += total < 200 ? 1 : 97) {
        uint8_t bit = (uint8_t)(1 << draw() % 8);
        sealed[i] ^= bit;
        memset(opened, 0xA5, sizeof opened);
        CU_ASSERT_FALSE(open_by(engine, suite, &m));
        CU_ASSERT_TRUE(all_zero(opened, m.length) && all_zero(rest, m.tail_length));
        sealed[i] ^= bit;
    }
    m.nonce[draw() % AEAD_NONCE] ^= 1;
    CU_ASSERT_FALSE(open_by(engine, suite, &m));
    CU_ASSERT_TRUE_FATAL(seal_by(engine, suite, &m, iov_of(&whole, 1), sealed));
    m.aad[4] ^= 0x80;
    CU_ASSERT_FALSE(open_by(engine, suite, &m));
    m.aad[4] ^= 0x80;
    CU_ASSERT_TRUE(open_by(engine, suite, &m));
}

static void flips_are_refused(void)
{
    for (size_t e = 0; aead_engines[e]; e++)
        for (int suite = 0; aead_engines[e]->available() && suite < AEAD_SUITES; suite++) {
            refuse_flips(aead_engines[e], suite, 1);
            refuse_flips(aead_engines[e], suite, 77);
            refuse_flips(aead_engines[e], suite, 5000);
        }
}

/* A context serves any number of messages, sealed and opened in turn, also after one that was refused. */
static void contexts_are_reused(void)
{
    static const uint8_t key[AEAD_KEY] = { 4 };

    for (size_t e = 0; aead_engines[e]; e++) {
        struct aead *aead, *fresh;
        uint8_t nonce[AEAD_NONCE] = { 0 };

        if (!aead_engines[e]->available())
            continue;
        aead = made_by(aead_engines[e], AEAD_AES_256_GCM, key);
        fresh = made_by(&aead_evp, AEAD_AES_256_GCM, key);
        for (uint8_t i = 0; i < 50; i++) {
            size_t length = draw() % 400;
            struct iovec v = { plain, length }, to = { opened, length };
            struct iov in = iov_of(&v, 1), again = in, out = iov_of(&to, 1);

            nonce[11] = i;
            CU_ASSERT_TRUE(aead_seal(aead, nonce, NULL, 0, &in, length, NULL, 0, sealed));
            CU_ASSERT_TRUE(aead_seal(fresh, nonce, NULL, 0, &again, length, NULL, 0, other));
            CU_ASSERT_EQUAL(memcmp(sealed, other, length + AEAD_TAG), 0);
            sealed[length] ^= i & 1;
            CU_ASSERT_EQUAL(aead_open(aead, nonce, NULL, 0, sealed, length, &out, NULL, 0), !(i & 1));
        }
        aead_free(fresh);
        aead_free(aead);
    }
}

/* An idle connection holds two. */
static void contexts_are_small(void)
{
    static const uint8_t key[AEAD_KEY] = { 5 };

    for (size_t e = 0; aead_engines[e]; e++) {
        struct aead *aead;

        if (!aead_engines[e]->available() || aead_engines[e] == &aead_evp)
            continue;
        aead = made_by(aead_engines[e], AEAD_AES_256_GCM, key);
        CU_ASSERT_TRUE(vault_size(aead) <= 1280);
        CU_ASSERT_EQUAL((uintptr_t)aead % 64, 0);
        aead_free(aead);
    }
}

static void the_choice(void)
{
    static const uint8_t key[AEAD_KEY] = { 6 };
    size_t first = 0;

    while (!aead_engines[first]->available())
        first++;
    CU_ASSERT_TRUE(aead_prefer(NULL));
    CU_ASSERT_STRING_EQUAL(aead_implementation(), aead_engines[first]->name);
    CU_ASSERT_FALSE(aead_prefer("no such engine"));
    CU_ASSERT_STRING_EQUAL(aead_implementation(), aead_engines[first]->name);
    for (size_t e = 0; aead_engines[e]; e++) {
        CU_ASSERT_EQUAL(aead_prefer(aead_engines[e]->name), aead_engines[e]->available());
        for (int suite = 0; aead_engines[e]->available() && suite < AEAD_SUITES; suite++) {
            struct aead *aead = made_by(aead_engines[e], suite, key);
            bool has = aead_engines[e]->suites & 1U << suite;
            CU_ASSERT_STRING_EQUAL(aead_implementation(), aead_engines[e]->name);
            CU_ASSERT_PTR_EQUAL(aead->engine, has ? aead_engines[e] : &aead_evp);
            aead_free(aead);
        }
    }
    CU_ASSERT_TRUE(aead_prefer(NULL));
}

static CU_TestInfo tests[] = {
    { "the engines agree, byte for byte", engines_agree },
    { "alignments, and sealing in place", alignments_and_in_place },
    { "nothing is touched behind a message", nothing_is_touched_behind },
    { "a flipped bit anywhere, by each engine", flips_are_refused },
    { "contexts are used again and again", contexts_are_reused },
    { "contexts are small", contexts_are_small },
    { "the choice of an engine", the_choice },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    for (size_t e = 0; aead_engines[e]; e++)
        printf("%s: %s\n", aead_engines[e]->name, aead_engines[e]->available() ? "runs here" : "not here");
    return check_run("aead", tests);
}
