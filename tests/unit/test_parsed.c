/* Parsed certificates: found by all of their bytes, bounded, and a lock that is never waited for. */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs.c"
#include "check.h"
#include "tls/parsed.h"

static unsigned char *der_of(X509 *certificate, int *length)
{
    unsigned char *der = NULL;
    *length = i2d_X509(certificate, &der);
    return der;
}

static void found_by_every_byte(void)
{
    struct cert one = cert_make(&(struct cert_spec){ .name = "one" });
    int length;
    unsigned char *der = der_of(one.x509, &length);
    X509 *found;

    CU_ASSERT_PTR_NULL(parsed_find(der, (size_t)length));
    parsed_remember(one.x509);
    parsed_remember(one.x509);
    found = parsed_find(der, (size_t)length);
    CU_ASSERT_PTR_EQUAL(found, one.x509);
    X509_free(found);
    CU_ASSERT_PTR_NULL(parsed_find(der, (size_t)length - 1));
    for (int i = 0; i < length; i++) {
        der[i] ^= 1;
        CU_ASSERT_PTR_NULL(parsed_find(der, (size_t)length));
        der[i] ^= 1;
    }
    OPENSSL_free(der);
    cert_free(&one);
}

/* However many verify, a bounded number is kept, the newest among them. */
static void bounded(void)
{
    enum { MANY = 300 };
    static unsigned char *ders[MANY];
    static int lengths[MANY];
    struct cert root = cert_make(&(struct cert_spec){ .name = "root", .ca = true });
    int known = 0;

    for (int i = 0; i < MANY; i++) {
        struct cert leaf = cert_make(&(struct cert_spec){ .name = "leaf", .issuer = &root });
        X509 *found;
        ders[i] = der_of(leaf.x509, &lengths[i]);
        parsed_remember(leaf.x509);
        found = parsed_find(ders[i], (size_t)lengths[i]);
        CU_ASSERT_PTR_EQUAL(found, leaf.x509);
        X509_free(found);
        cert_free(&leaf);
    }
    for (int i = 0; i < MANY; i++) {
        X509 *found = parsed_find(ders[i], (size_t)lengths[i]);
        known += found != NULL;
        X509_free(found);
        OPENSSL_free(ders[i]);
    }
    CU_ASSERT_TRUE(known >= 32 && known <= 64);
    cert_free(&root);
}

static _Atomic bool over;

static void *hammer(void *certificate)
{
    int length;
    unsigned char *der = der_of(certificate, &length);
    long found = 0;

    while (!over || !found) {
        X509 *one;
        parsed_remember(certificate);
        one = parsed_find(der, (size_t)length);
        found += one == certificate;
        X509_free(one);
    }
    OPENSSL_free(der);
    return found ? certificate : NULL;
}

/* Children that are made while other threads are inside go on, too. */
static void threads_and_forks(void)
{
    struct cert certs[3];
    pthread_t threads[3];

    for (int i = 0; i < 3; i++) {
        certs[i] = cert_make(&(struct cert_spec){ .name = "thread" });
        pthread_create(&threads[i], NULL, hammer, certs[i].x509);
    }
    for (int i = 0; i < 100; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            alarm(10);
            parsed_remember(certs[0].x509);
            _exit(0);
        }
        waitpid(child, &status, 0);
        CU_ASSERT_EQUAL(status, 0);
    }
    over = true;
    for (int i = 0; i < 3; i++) {
        void *found;
        pthread_join(threads[i], &found);
        CU_ASSERT_PTR_NOT_NULL(found);
        cert_free(&certs[i]);
    }
}

int main(void)
{
    CU_TestInfo tests[] = {
        { "found by every byte", found_by_every_byte },
        { "bounded", bounded },
        { "threads and forks", threads_and_forks },
        CU_TEST_INFO_NULL,
    };
    return check_run("parsed", tests);
}
