/*
 * AES-GCM by Intel's ipsec-mb, for processors with AVX2 and for those with VAES and AVX-512. See
 * aead_engine.h. Its functions are called by name: its manager would bring 13 MB of other ciphers along. They
 * clear the registers and the stack that they used, upper halves included, before they return.
 */
#ifdef MESHSHIM_IPSEC_MB
#include <cpuid.h>

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#endif

#include "base/banned.h"
#include "base/vault.h"
#include "tls/aead_engine.h"

#define AVX2_NAME "ipsec-mb AVX2"
#define VAES_NAME "ipsec-mb VAES/AVX-512"

#ifdef MESHSHIM_IPSEC_MB
#define LINE        64 /* the alignment that ipsec-mb asks for */
#define BLOCK       16
#define AVX2_POWERS 8 /* of the hash key: how many a variant wants */
#define VAES_POWERS 48

typedef void expand_fn(const void *key, void *schedule);
typedef void precompute_fn(struct gcm_key_data *key);
typedef void init_fn(const struct gcm_key_data *key, struct gcm_context_data *context, const uint8_t *nonce,
                     const uint8_t *aad, uint64_t aad_length);
typedef void update_fn(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out,
                       const uint8_t *in, uint64_t n);
typedef void finish_fn(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *tag,
                       uint64_t tag_length);
typedef void whole_fn(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out,
                      const uint8_t *in, uint64_t n, const uint8_t *nonce, const uint8_t *aad,
                      uint64_t aad_length, uint8_t *tag, uint64_t tag_length);

/* The library has these, its public header does not. */
init_fn aes_gcm_init_128_vaes_avx512, aes_gcm_init_256_vaes_avx512;
update_fn aes_gcm_enc_128_update_vaes_avx512, aes_gcm_enc_256_update_vaes_avx512;
update_fn aes_gcm_dec_128_update_vaes_avx512, aes_gcm_dec_256_update_vaes_avx512;
finish_fn aes_gcm_enc_128_finalize_vaes_avx512, aes_gcm_enc_256_finalize_vaes_avx512;
finish_fn aes_gcm_dec_128_finalize_vaes_avx512, aes_gcm_dec_256_finalize_vaes_avx512;
whole_fn aes_gcm_enc_128_vaes_avx512, aes_gcm_dec_128_vaes_avx512;
void ghash_avx_gen4(const struct gcm_key_data *key, const void *in, uint64_t n, void *tag,
                    uint64_t tag_length);

/* One key length of one variant. */
struct gcm {
    expand_fn *expand;
    precompute_fn *precompute;
    init_fn *init;
    update_fn *seal, *open;
    finish_fn *finish_seal, *finish_open;
    whole_fn *seal_whole, *open_whole;
    size_t powers;
};

#define KEYED(bits, variant, count, whole)                                                                   \
    {                                                                                                        \
        .expand = aes_keyexp_##bits##_enc_avx2, .precompute = aes_gcm_precomp_##bits##_avx_gen4,             \
        .init = aes_gcm_init_##bits##_##variant, .seal = aes_gcm_enc_##bits##_update_##variant,              \
        .open = aes_gcm_dec_##bits##_update_##variant,                                                       \
        .finish_seal = aes_gcm_enc_##bits##_finalize_##variant,                                              \
        .finish_open = aes_gcm_dec_##bits##_finalize_##variant, .powers = (count), whole                     \
    }
#define WHOLE(bits, variant)                                                                                 \
    .seal_whole = aes_gcm_enc_##bits##_##variant, .open_whole = aes_gcm_dec_##bits##_##variant
#define IN_PARTS .seal_whole = NULL

/*
 * The two key lengths of a variant. (The wholes of VAES are half a megabyte of the library for each length: the usual one has them.)
 */
static const struct gcm avx2[] = { KEYED(128, avx_gen4, AVX2_POWERS, WHOLE(128, avx_gen4)),
                                   KEYED(256, avx_gen4, AVX2_POWERS, WHOLE(256, avx_gen4)) };
static const struct gcm vaes[] = { KEYED(128, vaes_avx512, VAES_POWERS, WHOLE(128, vaes_avx512)),
                                   KEYED(256, vaes_avx512, VAES_POWERS, IN_PARTS) };

struct mb_aead {
    struct aead common;
    const struct gcm *gcm;
    bool sealing;
    struct gcm_context_data message;
    /* A gcm_key_data, cut off behind the powers that the variant reads: it is most of an idle connection. */
    _Alignas(LINE) uint8_t key[];
};

static struct mb_aead *of(struct aead *aead)
{
    return (struct mb_aead *)aead;
}

static const struct gcm_key_data *key_of(const struct mb_aead *aead)
{
    return (const struct gcm_key_data *)aead->key;
}

static size_t size_of(const struct gcm *gcm)
{
    size_t n = sizeof(struct mb_aead) + offsetof(struct gcm_key_data, ghash_keys) + gcm->powers * BLOCK;
    return (n + LINE - 1) / LINE * LINE;
}

static void reverse(const uint8_t in[BLOCK], uint8_t out[BLOCK])
{
    for (int i = 0; i < BLOCK; i++)
        out[i] = in[BLOCK - 1 - i];
}

/*
 * The 48 powers that VAES wants, the highest first, from the first eight that `small` has. The library's own
 * function for this would bring half a megabyte of its object files along. Each power is the one before times
 * the key, and a GHASH of one block is that product, with the bytes the other way round. (The powers are kept
 * in a shifted form; that is linear, so the product has it too.)
 */
static void raise_powers(const struct gcm_key_data *small, struct gcm_key_data *key)
{
    uint8_t(*powers)[BLOCK] = (uint8_t(*)[BLOCK])(void *)&key->ghash_keys, block[BLOCK], product[BLOCK];
    int known = VAES_POWERS - AVX2_POWERS;

    memcpy(powers[known], &small->ghash_keys, (size_t)AVX2_POWERS * BLOCK);
    for (int i = known - 1; i >= 0; i--) {
        reverse(powers[i + 1], block);
        memset(product, 0, sizeof product);
        ghash_avx_gen4(small, block, sizeof block, product, sizeof product);
        reverse(product, powers[i]);
    }
    explicit_bzero(block, sizeof block);
    explicit_bzero(product, sizeof product);
}

static void schedule(const struct gcm *gcm, const uint8_t *key, struct gcm_key_data *out)
{
    _Alignas(LINE) struct gcm_key_data small;

    gcm->expand(key, small.expanded_keys);
    gcm->precompute(&small);
    memcpy(out->expanded_keys, small.expanded_keys, sizeof out->expanded_keys);
    if (gcm->powers == VAES_POWERS)
        raise_powers(&small, out);
    else
        memcpy(&out->ghash_keys, &small.ghash_keys, (size_t)AVX2_POWERS * BLOCK);
    explicit_bzero(&small, sizeof small);
}

static struct aead *mb_create(const struct gcm *variant, enum aead_suite suite, const uint8_t *key)
{
    const struct gcm *gcm = &variant[suite == AEAD_AES_256_GCM];
    struct mb_aead *aead = vault_take(size_of(gcm));

    if (!aead)
        return NULL;
    aead->gcm = gcm;
    schedule(gcm, key, (struct gcm_key_data *)aead->key);
    return &aead->common;
}

static struct aead *avx2_create(enum aead_suite suite, const uint8_t *key)
{
    return mb_create(avx2, suite, key);
}

static struct aead *vaes_create(enum aead_suite suite, const uint8_t *key)
{
    return mb_create(vaes, suite, key);
}

static void mb_destroy(struct aead *aead)
{
    vault_give(aead, size_of(of(aead)->gcm));
}

static bool mb_begin(struct aead *aead, bool sealing, const uint8_t *nonce, const uint8_t *aad,
                     size_t aad_length)
{
    struct mb_aead *mb = of(aead);

    mb->sealing = sealing;
    mb->gcm->init(key_of(mb), &mb->message, nonce, aad, aad_length);
    return true;
}

static bool mb_update(struct aead *aead, const uint8_t *in, size_t n, uint8_t *out)
{
    struct mb_aead *mb = of(aead);

    (mb->sealing ? mb->gcm->seal : mb->gcm->open)(key_of(mb), &mb->message, out, in, n);
    return true;
}

static bool mb_finish_seal(struct aead *aead, uint8_t tag[AEAD_TAG])
{
    of(aead)->gcm->finish_seal(key_of(of(aead)), &of(aead)->message, tag, AEAD_TAG);
    return true;
}

static bool is_tag(uint8_t expected[AEAD_TAG], const uint8_t tag[AEAD_TAG])
{
    bool same = CRYPTO_memcmp(expected, tag, AEAD_TAG) == 0;

    explicit_bzero(expected, AEAD_TAG); /* the valid tag of a forgery */
    return same;
}

static bool mb_finish_open(struct aead *aead, const uint8_t tag[AEAD_TAG])
{
    uint8_t expected[AEAD_TAG];

    of(aead)->gcm->finish_open(key_of(of(aead)), &of(aead)->message, expected, AEAD_TAG);
    return is_tag(expected, tag);
}

static bool mb_seal_whole(struct aead *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length,
                          uint8_t *data, size_t n)
{
    struct mb_aead *mb = of(aead);

    if (!mb->gcm->seal_whole) {
        mb_begin(aead, true, nonce, aad, aad_length);
        mb_update(aead, data, n, data);
        return mb_finish_seal(aead, data + n);
    }
    mb->gcm->seal_whole(key_of(mb), &mb->message, data, data, n, nonce, aad, aad_length, data + n, AEAD_TAG);
    return true;
}

static bool mb_open_whole(struct aead *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_length,
                          const uint8_t *in, size_t n, uint8_t *out)
{
    struct mb_aead *mb = of(aead);
    uint8_t expected[AEAD_TAG];

    if (!mb->gcm->open_whole) {
        mb_begin(aead, false, nonce, aad, aad_length);
        mb_update(aead, in, n, out);
        return mb_finish_open(aead, in + n);
    }
    mb->gcm->open_whole(key_of(mb), &mb->message, out, in, n, nonce, aad, aad_length, expected, AEAD_TAG);
    return is_tag(expected, in + n);
}

/* These also ask whether the kernel keeps the wide registers. */
static bool avx2_available(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") &&
           __builtin_cpu_supports("pclmul");
}

static bool vaes_available(void)
{
    unsigned a, b, c = 0, d;

    return avx2_available() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("vpclmulqdq") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_VAES);
}

#define ENGINE(label, variant)                                                                               \
    {                                                                                                        \
        .name = (label), .suites = 1U << AEAD_AES_128_GCM | 1U << AEAD_AES_256_GCM,                          \
        .available = variant##_available, .create = variant##_create, .destroy = mb_destroy,                 \
        .begin = mb_begin, .update = mb_update, .finish_seal = mb_finish_seal,                               \
        .finish_open = mb_finish_open, .seal_whole = mb_seal_whole, .open_whole = mb_open_whole,             \
    }

const struct aead_engine aead_mb_avx2 = ENGINE(AVX2_NAME, avx2);
const struct aead_engine aead_mb_vaes = ENGINE(VAES_NAME, vaes);

#else /* another architecture, or built without the library */

static bool never(void)
{
    return false;
}

const struct aead_engine aead_mb_avx2 = { .name = AVX2_NAME, .available = never };
const struct aead_engine aead_mb_vaes = { .name = VAES_NAME, .available = never };
#endif
