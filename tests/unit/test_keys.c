/* Traffic keys: RFC 8448 §3's derivations, nonces, key updates. */
#include <unistd.h>

#include "check.h"
#include "tls/keys.h"

#include "hex.h"

#define CLIENT_SECRET "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
#define SERVER_SECRET "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"

static void check_derivation(const char *secret, const char *key, const char *iv)
{
    uint8_t bytes[48];
    struct keys keys;

    hex_read(secret, bytes);
    CU_ASSERT_TRUE_FATAL(keys_derive(&keys, AEAD_AES_128_GCM, bytes));
    CU_ASSERT_TRUE(hex_equal(key, keys.key));
    CU_ASSERT_TRUE(hex_equal(iv, keys.iv));
    CU_ASSERT_TRUE(hex_equal(secret, keys.secret));
    CU_ASSERT_EQUAL(keys.seq, 0);
    CU_ASSERT_EQUAL(keys.epoch, 0);
}

static void rfc8448_application_keys(void)
{
    check_derivation(CLIENT_SECRET, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9");
    check_derivation(SERVER_SECRET, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984");
}

/* §3: the early secret's "derived" takes the empty string's hash as context. */
static void rfc8448_label_with_context(void)
{
    uint8_t early[32], context[32], out[32];

    hex_read("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a", early);
    hex_read("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", context);
    CU_ASSERT_TRUE_FATAL(keys_expand_label(AEAD_AES_128_GCM, early, "derived", context, 32, out, 32));
    CU_ASSERT_TRUE(hex_equal("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba", out));
}

static void more_than_a_block_is_refused(void)
{
    uint8_t secret[48] = { 1 }, out[64];
    CU_ASSERT_FALSE(keys_expand_label(AEAD_AES_128_GCM, secret, "key", NULL, 0, out, 33));
    CU_ASSERT_TRUE(keys_expand_label(AEAD_AES_256_GCM, secret, "key", NULL, 0, out, 48));
    CU_ASSERT_FALSE(keys_expand_label(AEAD_AES_256_GCM, secret, "key", NULL, 0, out, 49));
}

/* RFC 8446 §5.3: big-endian, padded on the left to the IV's length. */
static void nonce_is_iv_xor_sequence(void)
{
    struct keys keys = { .seq = UINT64_C(0x0102030405060708) };
    uint8_t nonce[AEAD_NONCE];

    memset(keys.iv, 0xff, sizeof keys.iv);
    keys_nonce(&keys, nonce);
    CU_ASSERT_TRUE(hex_equal("fffffffffefdfcfbfaf9f8f7", nonce));
    keys.seq = 0;
    keys_nonce(&keys, nonce);
    CU_ASSERT_TRUE(hex_equal("ffffffffffffffffffffffff", nonce));
}

/* Each generation is what keys_derive makes of "traffic upd" of the one before. */
static void update_chain(void)
{
    for (int suite = 0; suite < AEAD_SUITES; suite++) {
        size_t hash = suite == AEAD_AES_256_GCM ? 48 : 32;
        uint8_t secret[48] = { 7, 7, 7 }, next[48];
        struct keys keys, expected;

        CU_ASSERT_TRUE_FATAL(keys_derive(&keys, suite, secret));
        for (uint32_t epoch = 1; epoch <= 5; epoch++) {
            keys.seq = 99;
            CU_ASSERT_TRUE_FATAL(keys_expand_label(suite, secret, "traffic upd", NULL, 0, next, hash));
            CU_ASSERT_TRUE_FATAL(keys_update(&keys));
            CU_ASSERT_TRUE_FATAL(keys_derive(&expected, suite, next));
            CU_ASSERT_EQUAL(keys.epoch, epoch);
            CU_ASSERT_EQUAL(keys.seq, 0);
            CU_ASSERT_EQUAL(memcmp(keys.secret, expected.secret, sizeof keys.secret), 0);
            CU_ASSERT_EQUAL(memcmp(keys.key, expected.key, sizeof keys.key), 0);
            CU_ASSERT_EQUAL(memcmp(keys.iv, expected.iv, sizeof keys.iv), 0);
            memcpy(secret, next, sizeof secret);
        }
    }
}

static void wipe_leaves_nothing(void)
{
    struct keys keys, zero;

    memset(&zero, 0, sizeof zero);
    memset(&keys, 0xaa, sizeof keys);
    keys_wipe(&keys);
    CU_ASSERT_EQUAL(memcmp(&keys, &zero, sizeof keys), 0);
}

static CU_TestInfo tests[] = {
    { "RFC 8448 application keys", rfc8448_application_keys },
    { "RFC 8448 label with context", rfc8448_label_with_context },
    { "more than a block is refused", more_than_a_block_is_refused },
    { "the nonce is the IV xor the sequence number", nonce_is_iv_xor_sequence },
    { "key updates, five generations, every suite", update_chain },
    { "wiping leaves nothing", wipe_leaves_nothing },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("keys", tests);
}
