/* The look at the first bytes of a connection, whole, in pieces, in several records, and broken. */
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "check.h"
#include "base/buf.h"
#include "tls/clienthello.h"

/* What OpenSSL really sends as a client with this ALPN list (NULL: none). */
static struct buf client_hello(const char *alpn, size_t alpn_length, const char *server_name)
{
    struct buf out = BUF_INIT;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    char *data;

    if (alpn)
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)alpn_length);
    if (server_name)
        SSL_set_tlsext_host_name(ssl, server_name);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    long n = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
    buf_append(&out, data, (size_t)n);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return out;
}

#define OURS  "\x08meshshim\x08http/1.1"
#define OTHER "\x02h2\x08http/1.1"

static enum hello_kind classify(const struct buf *hello)
{
    return hello_classify((const uint8_t *)hello->data, hello->length);
}

static void check_hello(const char *alpn, size_t length, const char *name, enum hello_kind expected)
{
    struct buf hello = client_hello(alpn, length, name);
    CU_ASSERT_EQUAL(classify(&hello), expected);
    buf_free(&hello);
}

static void real_hellos(void)
{
    check_hello(OURS, sizeof OURS - 1, NULL, HELLO_OURS);
    check_hello(OURS, sizeof OURS - 1, "payments.default.svc", HELLO_OURS);
    check_hello("\x02h2\x08meshshim", 12, NULL, HELLO_OURS);
    check_hello(OTHER, sizeof OTHER - 1, NULL, HELLO_FOREIGN);
    check_hello("\x07meshshi", 8, NULL, HELLO_FOREIGN);
    check_hello("\x09meshshim2", 10, NULL, HELLO_FOREIGN);
    check_hello("\x08meshshiM", 9, NULL, HELLO_FOREIGN);
    check_hello(NULL, 0, "meshshim", HELLO_FOREIGN);
}

/* Every prefix is undecided or already the final answer; and each byte is looked at in memory of its exact
 * size. */
static void check_prefixes(const struct buf *hello, enum hello_kind expected)
{
    bool decided = false;

    for (size_t n = 0; n <= hello->length; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        enum hello_kind kind;
        if (n)
            memcpy(exact, hello->data, n);
        kind = hello_classify(exact, n);
        free(exact);
        CU_ASSERT_TRUE(kind == expected || (kind == HELLO_PARTIAL && !decided));
        decided = decided || kind == expected;
    }
    CU_ASSERT_TRUE(decided);
}

/* The same handshake message cut into records of `step` bytes. */
static struct buf in_records(const struct buf *hello, size_t step)
{
    struct buf out = BUF_INIT;

    for (size_t at = 5; at < hello->length; at += step) {
        size_t n = hello->length - at < step ? hello->length - at : step;
        char header[5] = { 22, 3, 1, (char)(n >> 8), (char)n };
        buf_append(&out, header, 5);
        buf_append(&out, hello->data + at, n);
    }
    return out;
}

static void prefixes_and_fragments(void)
{
    struct buf ours = client_hello(OURS, sizeof OURS - 1, "x"),
               other = client_hello(OTHER, sizeof OTHER - 1, "x");

    check_prefixes(&ours, HELLO_OURS);
    check_prefixes(&other, HELLO_FOREIGN);
    for (size_t step = 1; step < 80; step += step < 8 ? 1 : 13) {
        struct buf cut = in_records(&ours, step), cut_other = in_records(&other, step);
        check_prefixes(&cut, HELLO_OURS);
        check_prefixes(&cut_other, HELLO_FOREIGN);
        buf_free(&cut);
        buf_free(&cut_other);
    }
    buf_free(&ours);
    buf_free(&other);
}

/* The first bytes of other protocols: decided at the first byte that TLS could not have. */
static void plain_text(void)
{
    static const struct {
        const char *bytes;
        size_t length;
        enum hello_kind kind;
    } cases[] = {
        { "", 0, HELLO_PARTIAL },
        { "G", 1, HELLO_PLAIN },
        { "PRI * HTTP/2.0\r\n", 16, HELLO_PLAIN },
        { "*1\r\n", 4, HELLO_PLAIN },
        { "\0\0\0\x08\x04\xd2\x16\x2f", 8, HELLO_PLAIN }, /* PostgreSQL's SSLRequest */
        { "\x16", 1, HELLO_PARTIAL },
        { "\x16H", 2, HELLO_PLAIN },
        { "\x16\x03", 2, HELLO_PARTIAL },
        { "\x16\x03\x05", 3, HELLO_PLAIN },
        { "\x16\x03\x01", 3, HELLO_PARTIAL },
        { "\x16\x03\x01\x00\x00", 5, HELLO_PLAIN }, /* an empty record */
        { "\x16\x03\x01\x40\x01", 5, HELLO_PLAIN }, /* a record that is too long */
        { "\x16\x03\x01\x40\x00", 5, HELLO_PARTIAL },
        { "\x16\x03\x01\x00\x40\x02", 6, HELLO_PLAIN }, /* a ServerHello */
        { "\x16\x03\x01\x00\x40\x01", 6, HELLO_PARTIAL },
        { "\x15\x03\x01\x00\x02\x02\x28", 7, HELLO_PLAIN },           /* an alert */
        { "\x80\x2e\x01\x03\x01", 5, HELLO_PLAIN },                   /* SSL 2's hello */
        { "\x16\x03\x01\x40\x00\x01\x00\x40\x00", 9, HELLO_PARTIAL }, /* 16 KiB */
        { "\x16\x03\x01\x40\x00\x01\x00\x40\x01", 9, HELLO_FOREIGN }, /* and one more */
        { "\x16\x03\x01\x00\x04\x01\0\0\0", 9, HELLO_FOREIGN },       /* nothing in it */
        { "\x16\x03\x01\x00\x01\x01\x17\x03\x03", 9, HELLO_FOREIGN }, /* goes on in a record of data */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(hello_classify((const uint8_t *)cases[i].bytes, cases[i].length), cases[i].kind);
}

/* Any byte changed to anything: an answer, and never our own where the name is broken. Sanitizers watch the
 * rest. */
static void damaged_hellos(void)
{
    struct buf hello = client_hello(OURS, sizeof OURS - 1, "x");
    const char *name = memmem(hello.data, hello.length, "meshshim", 8);
    uint8_t *exact = malloc(hello.length);

    CU_ASSERT_PTR_NOT_NULL_FATAL(name);
    for (size_t at = 0; at < hello.length; at++) {
        for (int value = 0; value < 256; value++) {
            enum hello_kind kind;
            bool in_name = (size_t)(name - hello.data) <= at && at < (size_t)(name - hello.data) + 8;
            memcpy(exact, hello.data, hello.length);
            exact[at] = (uint8_t)value;
            kind = hello_classify(exact, hello.length);
            CU_ASSERT_TRUE(kind >= HELLO_PARTIAL && kind <= HELLO_PLAIN);
            if (in_name && exact[at] != (uint8_t)hello.data[at])
                CU_ASSERT_EQUAL(kind, HELLO_FOREIGN);
        }
    }
    free(exact);
    buf_free(&hello);
}

static CU_TestInfo tests[] = {
    { "hellos as OpenSSL sends them", real_hellos },
    { "every prefix, every fragmentation", prefixes_and_fragments },
    { "other protocols", plain_text },
    { "damaged hellos", damaged_hellos },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("clienthello", tests);
}
