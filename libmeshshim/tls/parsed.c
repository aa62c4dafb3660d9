/* See parsed.h. */
#include "tls/parsed.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/banned.h"

enum { SETS = 16, WAYS = 4, ATTEMPTS = 200, LONGEST = 8192, SIGNATURE = 32 };

struct parsed {
    X509 *certificate; /* NULL: empty */
    unsigned char *der;
    size_t length;
};

static struct parsed all[SETS][WAYS];
static atomic_flag busy = ATOMIC_FLAG_INIT;
static unsigned turn;

/* As in chains.c: a fork may have copied the flag while another thread held it. */
static bool enter(void)
{
    for (int i = 0; i < ATTEMPTS; i++)
        if (!atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
            return true;
    return false;
}

static void leave(void)
{
    atomic_flag_clear_explicit(&busy, memory_order_release);
}

/* The last bytes are of the signature, which is as good as chance. */
static struct parsed *set_of(const unsigned char *der, size_t length)
{
    unsigned sum = 0;
    for (size_t i = length < SIGNATURE ? 0 : length - SIGNATURE; i < length; i++)
        sum = sum * 31 + der[i];
    return all[sum % SETS];
}

static struct parsed *find(const unsigned char *der, size_t length)
{
    struct parsed *set = set_of(der, length);
    for (int i = 0; i < WAYS; i++)
        if (set[i].certificate && set[i].length == length && memcmp(set[i].der, der, length) == 0)
            return &set[i];
    return NULL;
}

X509 *parsed_find(const unsigned char *der, size_t length)
{
    const struct parsed *known;
    X509 *certificate = NULL;
    if (length > LONGEST || !enter())
        return NULL;
    known = find(der, length);
    if (known && X509_up_ref(known->certificate) == 1)
        certificate = known->certificate;
    leave();
    return certificate;
}

static bool is_kept(const X509 *certificate)
{
    for (int i = 0; i < SETS * WAYS; i++)
        if (all[i / WAYS][i % WAYS].certificate == certificate)
            return true;
    return false;
}

/* Takes `der` over; what had the place comes back in it. */
static void keep(X509 *certificate, struct parsed *entry)
{
    struct parsed *set = set_of(entry->der, entry->length), *place = &set[turn++ % WAYS], before;
    if (find(entry->der, entry->length) || X509_up_ref(certificate) != 1)
        return;
    for (int i = 0; i < WAYS && place->certificate; i++)
        if (!set[i].certificate)
            place = &set[i];
    before = *place;
    *place = *entry;
    *entry = before;
}

void parsed_remember(X509 *certificate)
{
    struct parsed entry = { certificate, NULL, 0 };
    int length;
    bool known = true;
    if (enter()) {
        known = is_kept(certificate);
        leave();
    }
    length = known ? 0 : i2d_X509(certificate, &entry.der);
    if (length <= 0)
        return;
    entry.length = (size_t)length;
    if (length <= LONGEST && enter()) {
        keep(certificate, &entry);
        leave();
    }
    if (entry.certificate != certificate)
        X509_free(entry.certificate);
    OPENSSL_free(entry.der);
}

/* ---- in place of d2i_X509, for the linker ---- */

X509 *__real_d2i_X509(X509 **into, const unsigned char **in, long length) __attribute__((weak));
X509 *__wrap_d2i_X509(X509 **into, const unsigned char **in, long length);

X509 *__wrap_d2i_X509(X509 **into, const unsigned char **in, long length)
{
    X509 *known = length > 0 ? parsed_find(*in, (size_t)length) : NULL;
    if (!known)
        return __real_d2i_X509(into, in, length);
    *in += length;
    if (into) {
        X509_free(*into);
        *into = known;
    }
    return known;
}
