/* See pem_reader.h. */
#include "tls/pem_reader.h"

#include <limits.h>
#include <stdbool.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/banned.h"

/* Editors on Windows put a byte order mark first; the first block's line would not be recognised behind it.
 */
static BIO *bio_of(const char *text, size_t length)
{
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    return length <= INT_MAX ? BIO_new_mem_buf(text, (int)length) : NULL;
}

/* Asked for a pass phrase: note it, have none. OpenSSL's own callback would ask on the program's terminal. */
static int no_pass_phrase(char *phrase, int room, int writing, void *asked)
{
    (void)phrase;
    (void)room;
    (void)writing;
    if (asked)
        *(bool *)asked = true;
    return -1;
}

static bool at_end(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* Appends certificates until none is left; false: one is damaged. */
static bool read_all(BIO *bio, STACK_OF(X509) * all)
{
    for (;;) {
        X509 *certificate = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
        if (!certificate)
            return at_end();
        if (sk_X509_push(all, certificate) <= 0) {
            X509_free(certificate);
            return false;
        }
    }
}

STACK_OF(X509) * pem_certificates(const char *text, size_t length, int *damaged)
{
    BIO *bio = bio_of(text, length);
    STACK_OF(X509) *all = sk_X509_new_null();

    *damaged = 0;
    ERR_clear_error();
    if (all && bio && !read_all(bio, all))
        *damaged = sk_X509_num(all) + 1;
    if (*damaged || sk_X509_num(all) <= 0) {
        sk_X509_pop_free(all, X509_free);
        all = NULL;
    }
    BIO_free(bio);
    ERR_clear_error();
    return all;
}

EVP_PKEY *pem_private_key(const char *text, size_t length, const char **complaint)
{
    BIO *bio = bio_of(text, length);
    bool asked = false;
    EVP_PKEY *key;

    ERR_clear_error();
    key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &asked) : NULL;
    if (key)
        *complaint = NULL;
    else if (asked)
        *complaint = "the private key is encrypted, and nobody is there to type its pass phrase: store it "
                     "unencrypted, readable for the workload's user alone";
    else if (!memmem(text, length, "PRIVATE KEY-----", 16))
        *complaint = "holds no private key in PEM form (PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY)";
    else
        *complaint = "holds a private key that is damaged or of an unknown kind";
    BIO_free(bio);
    ERR_clear_error();
    return key;
}
