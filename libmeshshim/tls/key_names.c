/*
 * The names of a kind of key, remembered. OpenSSL 3.0 goes through all names of all algorithms that it has for each context of a public
 * key operation, six times a handshake, to learn that X25519 is called X25519: a fourteenth of a resumed one. Where it is linked in
 * statically, the linker puts this in place of the function that it asks (Makefile: --wrap).
 */
#include <stdatomic.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/banned.h"

enum { KINDS = 32, NAMES = 8 };

struct kind {
    EVP_KEYMGMT *keymgmt; /* kept, so that no other one comes to have its address; NULL: free */
    int count;
    const char *name[NAMES]; /* they live as long as OpenSSL's table of names */
};

static struct kind kinds[KINDS];
static _Atomic int known; /* so many of them are there to be read */
static atomic_flag busy = ATOMIC_FLAG_INIT;

typedef void each_name(const char *name, void *data);

int __real_EVP_KEYMGMT_names_do_all(const EVP_KEYMGMT *keymgmt, each_name *each, void *data)
    __attribute__((weak));
int __wrap_EVP_KEYMGMT_names_do_all(const EVP_KEYMGMT *keymgmt, each_name *each, void *data);

static void collect(const char *name, void *data)
{
    struct kind *kind = data;
    if (kind->count < NAMES)
        kind->name[kind->count] = name;
    kind->count++;
}

/* Never waits: whoever comes second, or in a child of a fork while another thread was in here, asks OpenSSL. */
static void learn(const EVP_KEYMGMT *keymgmt)
{
    struct kind kind = { .count = 0 };
    int n;
    if (atomic_flag_test_and_set(&busy))
        return;
    n = atomic_load(&known);
    if (n < KINDS && __real_EVP_KEYMGMT_names_do_all(keymgmt, collect, &kind) == 1 && kind.count <= NAMES) {
        kind.keymgmt = (EVP_KEYMGMT *)(uintptr_t)keymgmt;
        if (EVP_KEYMGMT_up_ref(kind.keymgmt) == 1) {
            kinds[n] = kind;
            atomic_store(&known, n + 1);
        }
    }
    atomic_flag_clear(&busy);
}

static const struct kind *kind_of(const EVP_KEYMGMT *keymgmt)
{
    int n = atomic_load(&known);
    for (int i = 0; i < n; i++)
        if (kinds[i].keymgmt == keymgmt)
            return &kinds[i];
    return NULL;
}

int __wrap_EVP_KEYMGMT_names_do_all(const EVP_KEYMGMT *keymgmt, each_name *each, void *data)
{
    const struct kind *kind = kind_of(keymgmt);
    if (!kind) {
        learn(keymgmt);
        return __real_EVP_KEYMGMT_names_do_all(keymgmt, each, data);
    }
    for (int i = 0; i < kind->count; i++)
        each(kind->name[i], data);
    return 1;
}
