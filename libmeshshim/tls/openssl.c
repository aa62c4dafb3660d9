/* See openssl.h. */
#include "tls/openssl.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "base/banned.h"
#include "base/blocks.h"
#include "base/once.h"
#include "base/vault.h"

/*
 * For the numbers of private keys: a few that stay, one for each handshake under way, and half a KiB of random generator for each thread
 * that makes handshakes. What is not used of it costs no memory.
 */
enum { PRIVATE_ROOM = 1024 * 1024, PRIVATE_LEAST = 32 };

static struct once once;
static _Atomic unsigned shortages;

#if defined(MESHSHIM_OWN_OPENSSL) && !defined(__SANITIZE_ADDRESS__)
/* ---- memory: the large pieces of a handshake, about 40 KiB, are not of the program's heap ---- */

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static __thread bool secretly;

void openssl_secretly(bool begins)
{
    secretly = begins;
}

/*
 * OpenSSL ends the process where it has no memory for the lists of its heap of private keys, two bits a piece, twice: it gets it here. Used in
 * start alone, when no other thread is in OpenSSL yet.
 */
enum { RESERVE = PRIVATE_ROOM / PRIVATE_LEAST / 2 + 8192 };
static _Alignas(16) uint8_t reserve[RESERVE];
static size_t reserved = RESERVE; /* full: nothing is to be had */

static void *take_reserved(size_t size)
{
    size_t at = reserved;
    if (at == RESERVE || size > RESERVE - at)
        return NULL;
    reserved = at + ((size + 15) & ~(size_t)15);
    return reserve + at;
}

static bool is_reserved(const void *memory)
{
    return (uintptr_t)memory - (uintptr_t)reserve < RESERVE;
}

static void open_reserve(bool open)
{
    static size_t used;
    if (open) {
        reserved = used;
    } else {
        used = reserved;
        reserved = RESERVE;
    }
}

static void *take(size_t size)
{
    void *block = size < BLOCKS_LEAST ? NULL : blocks_take(size);
    if (__builtin_expect(secretly, 0) && !block)
        return vault_take(size);
    return block ? block : malloc(size);
}

static void *allocate(size_t size, const char *file, int line)
{
    void *memory = take(size);
    (void)file, (void)line;
    if (__builtin_expect(!memory, 0)) {
        atomic_fetch_add(&shortages, 1);
        memory = take_reserved(size);
    }
    return memory;
}

static void release(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    size_t hidden = vault_size(memory);
    if (hidden)
        vault_give(memory, hidden);
    else if (blocks_size(memory))
        blocks_give(memory);
    else if (!is_reserved(memory))
        free(memory);
}

static void *reallocate(void *old, size_t size, const char *file, int line)
{
    size_t hidden = vault_size(old), had = hidden ? hidden : blocks_size(old);
    void *fresh;
    if (!had && old) {
        fresh = is_reserved(old) ? NULL : realloc(old, size);
        if (!fresh)
            atomic_fetch_add(&shortages, 1);
        return fresh;
    }
    if (size <= had)
        return old;
    fresh = allocate(size, file, line);
    if (fresh && had) {
        memcpy(fresh, old, had);
        release(old, file, line);
    }
    return fresh;
}

/* Valgrind looks for leaks in the heap alone. */
static void manage_memory(void)
{
    if (!RUNNING_ON_VALGRIND)
        CRYPTO_set_mem_functions(allocate, reallocate, release);
}
#else
static void manage_memory(void)
{
}

static void open_reserve(bool open)
{
    (void)open;
}

void openssl_secretly(bool begins)
{
    (void)begins;
}
#endif

#ifdef MESHSHIM_OWN_OPENSSL
/*
 * The words for errors are two thousand pieces of heap, which few processes ever need. In place of the function that OpenSSL calls for them at its
 * first error (Makefile: --wrap).
 */
int __real_ossl_err_load_crypto_strings(void) __attribute__((weak));
int __wrap_ossl_err_load_crypto_strings(void);

int __wrap_ossl_err_load_crypto_strings(void)
{
    return 1;
}

static bool load_words(void)
{
    return (!__real_ossl_err_load_crypto_strings || __real_ossl_err_load_crypto_strings() == 1) &&
           OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) == 1;
}

void openssl_need_words(void)
{
    static struct once loaded;
    (void)once_ready(&loaded, load_words);
}

/*
 * By name are wanted the digests of signatures, and the ciphers that a PEM file may say its key is encrypted with (which is then complained
 * of). All of OpenSSL's, with their other names, are half a millisecond. A name that found no memory would be unknown for good: false.
 */
static bool name_few(void)
{
    const EVP_MD *const digests[] = { EVP_sha1(),   EVP_sha224(),   EVP_sha256(),   EVP_sha384(),
                                      EVP_sha512(), EVP_sha3_256(), EVP_sha3_384(), EVP_sha3_512() };
    const EVP_CIPHER *const ciphers[] = { EVP_aes_128_cbc(), EVP_aes_192_cbc(), EVP_aes_256_cbc(),
                                          EVP_des_ede3_cbc() };
    bool named = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
                                         OPENSSL_INIT_NO_ADD_ALL_DIGESTS,
                                     NULL) == 1;
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
        named = EVP_add_digest(digests[i]) && named;
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++)
        named = EVP_add_cipher(ciphers[i]) && named;
    return named;
}
#else
void openssl_need_words(void)
{
}

static bool name_few(void)
{
    return true;
}
#endif

/*
 * NO_ATEXIT: programs talk in their own exit handlers, after OpenSSL's would have torn everything down.
 * NO_LOAD_CONFIG: the host's openssl.cnf is meant for the host's OpenSSL (engines, FIPS, policy), not for
 * ours.
 */
static bool start(void)
{
    manage_memory();
    /* Private keys as OpenSSL holds them: locked, wiped, not in core files. Where it cannot be had they lie in its heap; where it is full, handshakes fail. */
    open_reserve(true);
    CRYPTO_secure_malloc_init(PRIVATE_ROOM, PRIVATE_LEAST);
    open_reserve(false);
    return name_few() && OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
}

bool openssl_start(void)
{
    return once_ready(&once, start);
}

unsigned openssl_shortages(void)
{
    return atomic_load(&shortages);
}
