/*
 * What OpenSSL knows, cut down to what a handshake may need. OpenSSL 3.0 makes an object of every algorithm of a kind when the first one of
 * that kind is looked up, and asks all decoders for each public key whether it is theirs: half of a process' first connection, and
 * much of the memory that it keeps. Where it is linked in statically, the linker puts this in place of its default provider, which
 * says what there is (Makefile: --wrap).
 */
#include <stddef.h>
#include <string.h>

#include <openssl/core_dispatch.h>

#include "base/banned.h"

enum { ALGORITHMS = 48, ENTRIES = 16, NAMES = 12 };

/*
 * Of each kind, by their first names: what TLS 1.3 (resumed: HMAC as a signature), its random numbers, and
 * any certificate and key that it takes are made of.
 */
static const struct kept {
    int operation;
    const char *name[NAMES];
} kept[] = {
    { OSSL_OP_DIGEST,
      { "SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512", "SHA3-256", "SHA3-384", "SHA3-512",
        "SHAKE-256" } }, /* the last for ED448 */
    { OSSL_OP_CIPHER, { "AES-256-ECB", "AES-256-CTR", "AES-256-GCM", "AES-128-GCM", "ChaCha20-Poly1305" } },
    { OSSL_OP_MAC, { "HMAC" } },
    { OSSL_OP_KDF, { "HKDF", "TLS13-KDF" } },
    { OSSL_OP_RAND, { "CTR-DRBG", "SEED-SRC" } },
    { OSSL_OP_KEYMGMT, { "RSA", "RSA-PSS", "EC", "X25519", "X448", "ED25519", "ED448", "HMAC" } },
    { OSSL_OP_KEYEXCH, { "ECDH", "X25519", "X448" } },
    { OSSL_OP_SIGNATURE, { "RSA", "ECDSA", "ED25519", "ED448", "HMAC" } },
    { OSSL_OP_DECODER, { "RSA", "RSA-PSS", "EC", "X25519", "X448", "ED25519", "ED448", "DER" } },
};
enum { KINDS = sizeof kept / sizeof kept[0] };

/* Made once, before anybody can ask: OpenSSL asks from many threads, and remembers for ever how much it was told. */
static OSSL_ALGORITHM tables[KINDS][ALGORITHMS + 1]; /* each ends with one without a name */
static const OSSL_ALGORITHM *answers[KINDS];
static OSSL_DISPATCH functions[ENTRIES + 1];

int __real_ossl_default_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                                      const OSSL_DISPATCH **out, void **context) __attribute__((weak));
int __wrap_ossl_default_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                                      const OSSL_DISPATCH **out, void **context);

static int is_kept(const struct kept *kind, const OSSL_ALGORITHM *algorithm)
{
    const char *names = algorithm->algorithm_names;
    size_t length = strcspn(names, ":");
    for (int i = 0; i < NAMES && kind->name[i]; i++)
        if (strlen(kind->name[i]) == length && strncmp(names, kind->name[i], length) == 0)
            return 1;
    return 0;
}

/* Where there were more than there is room for, all of them stay. */
static const OSSL_ALGORITHM *cut_down(const struct kept *kind, const OSSL_ALGORITHM *all)
{
    OSSL_ALGORITHM *table = tables[kind - kept];
    size_t n = 0;
    for (const OSSL_ALGORITHM *each = all; each && each->algorithm_names; each++) {
        if (!is_kept(kind, each))
            continue;
        if (n == ALGORITHMS)
            return all;
        table[n++] = *each;
    }
    return n ? table : NULL;
}

static void make_answers(OSSL_FUNC_provider_query_operation_fn *whole, void *context)
{
    int unused;
    for (size_t i = 0; i < KINDS; i++)
        answers[i] = cut_down(&kept[i], whole(context, kept[i].operation, &unused));
}

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    (void)context;
    *no_cache = 0;
    for (size_t i = 0; i < KINDS; i++)
        if (kept[i].operation == operation)
            return answers[i];
    return NULL;
}

int __wrap_ossl_default_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                                      const OSSL_DISPATCH **out, void **context)
{
    const OSSL_DISPATCH *whole;
    size_t n = 0;
    if (!__real_ossl_default_provider_init(core, in, &whole, context))
        return 0;
    *out = whole;
    for (; whole[n].function_id; n++) {
        if (n == ENTRIES)
            return 1;
        functions[n] = whole[n];
        if (whole[n].function_id != OSSL_FUNC_PROVIDER_QUERY_OPERATION)
            continue;
        make_answers(OSSL_FUNC_provider_query_operation(&whole[n]), *context);
        functions[n].function = (void (*)(void))query;
    }
    *out = functions;
    return 1;
}

/* ---- what else would be linked in with it and is never asked for: its other provider, and the names that openssl.c does without ---- */

int __wrap_ossl_base_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                                   const OSSL_DISPATCH **out, void **context);
void __wrap_openssl_add_all_ciphers_int(void);
void __wrap_openssl_add_all_digests_int(void);

int __wrap_ossl_base_provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
                                   const OSSL_DISPATCH **out, void **context)
{
    (void)core, (void)in, (void)out, (void)context;
    return 0;
}

void __wrap_openssl_add_all_ciphers_int(void)
{
}

void __wrap_openssl_add_all_digests_int(void)
{
}
