/* Records that one side seals and the other opens, by each AEAD engine. */
#ifndef MESHSHIM_TEST_SIDES_H
#define MESHSHIM_TEST_SIDES_H

#include <stdio.h>

#include "check.h"
#include "hex.h"
#include "tls/aead_engine.h"
#include "tls/record.h"

static uint8_t plain[RECORD_PLAINTEXT + 512], sealed[RECORD_MOST + 64], opened[RECORD_MOST + 64];

/* One direction: the sender's and the receiver's state. */
struct side {
    struct aead *seal, *open;
    struct keys sender, receiver;
};

static inline struct side side_new(enum aead_suite suite, const char *secret_hex)
{
    uint8_t secret[48] = { 3, 1, 4, 1, 5, 9 };
    struct side side;

    if (secret_hex)
        hex_read(secret_hex, secret);
    CU_ASSERT_TRUE_FATAL(keys_derive(&side.sender, suite, secret));
    side.receiver = side.sender;
    side.seal = aead_new(suite, side.sender.key);
    side.open = aead_new(suite, side.receiver.key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(side.seal);
    CU_ASSERT_PTR_NOT_NULL_FATAL(side.open);
    return side;
}

static inline void side_free(struct side *side)
{
    aead_free(side->seal);
    aead_free(side->open);
}

static inline size_t seal(struct side *side, uint8_t type, const void *data, size_t n)
{
    struct iovec v = { (void *)(uintptr_t)data, n };
    struct iov in = iov_of(&v, 1);
    return record_seal(side->seal, &side->sender, type, &in, n, sealed);
}

/* Opens what is in `sealed` into `opened`, which has exactly the room that the header asks for. */
static inline int open_record(struct side *side, size_t total, struct record *record)
{
    struct iovec v = { opened, total - RECORD_OVERHEAD };
    struct iov out = iov_of(&v, 1);
    int result = record_open(side->open, &side->receiver, sealed, total, &out, record);
    if (result == 0)
        CU_ASSERT_EQUAL(out.left, v.iov_len - record->length);
    return result;
}

/* Seals an inner plaintext of the test's making, padding and all, as no honest record_seal would. */
static inline size_t seal_inner(struct side *side, const uint8_t *inner, size_t n)
{
    struct iovec v = { (void *)(uintptr_t)inner, n };
    struct iov in = iov_of(&v, 1);
    uint8_t nonce[AEAD_NONCE];
    size_t body = n + AEAD_TAG;

    sealed[0] = 23;
    sealed[1] = sealed[2] = 3;
    sealed[3] = (uint8_t)(body >> 8);
    sealed[4] = (uint8_t)body;
    keys_nonce(&side->sender, nonce);
    side->sender.seq++;
    CU_ASSERT_TRUE_FATAL(aead_seal(side->seal, nonce, sealed, 5, &in, n, NULL, 0, sealed + 5));
    return 5 + body;
}

static inline bool all_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

/* The tests by each AEAD engine that runs here; main's return value. */
static inline int run_by_each(const char *name, CU_TestInfo *tests)
{
    unsigned failures = 0;

    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 131 + (i >> 8) + 1);
    for (size_t i = 0; aead_engines[i]; i++) {
        if (!aead_engines[i]->available())
            continue;
        printf("\n%s by %s\n", name, aead_engines[i]->name);
        failures +=
            aead_prefer(aead_engines[i]->name) ? check_suite(aead_engines[i]->name, NULL, NULL, tests) : 1;
    }
    return failures ? 1 : 0;
}

#endif
