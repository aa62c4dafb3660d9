/* Keys as the kernel takes them, suite by suite; what it offers is told without harm, whatever it is. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "tls/ktls.h"

static struct keys some_keys(enum aead_suite suite)
{
    struct keys keys = { .suite = (uint8_t)suite, .seq = UINT64_C(0x0102030405060708) };
    for (size_t i = 0; i < sizeof keys.key; i++)
        keys.key[i] = (uint8_t)(0x40 + i);
    for (size_t i = 0; i < sizeof keys.iv; i++)
        keys.iv[i] = (uint8_t)(0x80 + i);
    return keys;
}

/* The parts stand in this order: version, cipher, IV, key, salt, sequence number; salt and IV in a row are TLS 1.3's IV. */
static void check_layout(enum aead_suite suite, uint16_t cipher, size_t key, size_t salt)
{
    static const uint8_t seq[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    struct keys keys = some_keys(suite);
    union ktls_info info;
    const uint8_t *at = (const uint8_t *)&info + sizeof info.head;

    CU_ASSERT_EQUAL(ktls_info_of(&keys, &info), 4 + AEAD_NONCE + key + sizeof seq);
    CU_ASSERT_EQUAL(info.head.version, 0x0304);
    CU_ASSERT_EQUAL(info.head.cipher_type, cipher);
    CU_ASSERT_EQUAL(memcmp(at, keys.iv + salt, AEAD_NONCE - salt), 0);
    CU_ASSERT_EQUAL(memcmp(at + AEAD_NONCE - salt, keys.key, key), 0);
    CU_ASSERT_EQUAL(memcmp(at + AEAD_NONCE - salt + key, keys.iv, salt), 0);
    CU_ASSERT_EQUAL(memcmp(at + AEAD_NONCE + key, seq, sizeof seq), 0);
}

static void layouts(void)
{
    check_layout(AEAD_AES_128_GCM, 51, 16, 4);
    check_layout(AEAD_AES_256_GCM, 52, 32, 4);
    check_layout(AEAD_CHACHA20_POLY1305, 54, 32, 0);
}

static void no_such_suite(void)
{
    struct keys keys = some_keys(AEAD_SUITES);
    union ktls_info info;

    CU_ASSERT_EQUAL(ktls_info_of(&keys, &info), 0);
    CU_ASSERT_EQUAL(ktls_use(-1, TLS_TX, &keys), EINVAL);
}

static void the_offer_is_consistent(void)
{
    enum ktls_offer offer = ktls_offer();

    CU_ASSERT_EQUAL(ktls_is_offered(), offer != KTLS_ABSENT);
    CU_ASSERT_EQUAL(ktls_offer(), offer);
    CU_ASSERT_NOT_EQUAL(ktls_attach(-1), 0);
}

static CU_TestInfo tests[] = {
    { "crypto_info of every suite", layouts },
    { "a suite that is none", no_such_suite },
    { "what the kernel offers", the_offer_is_consistent },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("ktls", tests);
}
