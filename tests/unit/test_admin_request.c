/* The admin socket's request parser: what is a request, what is refused and how, and that the pieces it comes
 * in do not matter. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "admin/request.h"

/* From memory of exactly that size, so that a sanitizer sees a byte too far. */
static int parse(const char *data, size_t length, struct request *request)
{
    const char *why = NULL;
    char *exact = malloc(length ? length : 1);
    int status;

    memcpy(exact, data, length);
    status = request_parse(exact, length, request, &why);
    CU_ASSERT_TRUE(status == 0 || status == 200 || (why != NULL && strlen(why) > 10));
    free(exact);
    return status;
}

static int status_of(const char *text)
{
    struct request request;
    return parse(text, strlen(text), &request);
}

static void what_curl_sends(void)
{
    static const char text[] =
        "GET /stats HTTP/1.1\r\nHost: mesh\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
    struct request request;

    CU_ASSERT_EQUAL(parse(text, strlen(text), &request), 200);
    CU_ASSERT_EQUAL(request.method, METHOD_GET);
    CU_ASSERT_STRING_EQUAL(request.path, "/stats");
    CU_ASSERT_EQUAL(request.head, strlen(text));
    CU_ASSERT_EQUAL(request.body, 0);
}

static void every_prefix_wants_more(void)
{
    static const char text[] =
        "\r\nPOST /reload?now HTTP/1.1\r\nHost: mesh\r\nContent-Length: 5\r\n\r\nhello";
    size_t head = strlen(text) - 5;
    struct request request;

    for (size_t n = 0; n < head; n++)
        CU_ASSERT_EQUAL_FATAL(parse(text, n, &request), 0);
    for (size_t n = head; n <= strlen(text); n++)
        CU_ASSERT_EQUAL_FATAL(parse(text, n, &request), 200);
    CU_ASSERT_EQUAL(request.method, METHOD_POST);
    CU_ASSERT_STRING_EQUAL(request.path, "/reload");
    CU_ASSERT_EQUAL(request.head, head);
    CU_ASSERT_EQUAL(request.body, 5);
}

static void forms_that_are_accepted(void)
{
    static const char *const good[] = {
        "GET / HTTP/1.1\n\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET http://mesh/stats HTTP/1.1\r\n\r\n",
        "GET HTTP://mesh HTTP/1.1\r\n\r\n",
        "GET /? HTTP/1.1\r\nA:\r\nB: \t x \t\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 0\r\ncontent-length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 65536\r\n\r\n",
        "GET / HTTP/1.1\r\nX: \xc3\xa9\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_EQUAL(status_of(good[i]), 200);
}

static void forms_that_are_refused(void)
{
    static const struct {
        int status;
        const char *text;
    } bad[] = {
        { 400, "\x16\x03\x01\x02\x01\n" },
        { 400, "GET\r\n" },
        { 400, "GET /\r\n" },
        { 400, " / HTTP/1.1\r\n" },
        { 400, "G\x01T / HTTP/1.1\r\n" },
        { 400, "GET  / HTTP/1.1\r\n" },
        { 400, "GET / HTTP/1.1 \r\n" },
        { 400, "GET / HTTP/2.0\r\n" },
        { 400, "GET stats HTTP/1.1\r\n" },
        { 400, "GET http:/stats HTTP/1.1\r\n" },
        { 400, "GET /\x7f HTTP/1.1\r\n" },
        { 400, "GET /\t HTTP/1.1\r\n" },
        { 400, "GET / HTTP/1.1\r\nNo colon\r\n" },
        { 400, "GET / HTTP/1.1\r\n folded: line\r\n" },
        { 400, "GET / HTTP/1.1\r\nHost : mesh\r\n" },
        { 400, "GET / HTTP/1.1\r\n: mesh\r\n" },
        { 400, "GET / HTTP/1.1\r\nHost: a\rb\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length: -1\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length:\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length: 0x10\r\n" },
        { 400, "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" },
        { 400, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" },
        { 405, "DELETE / HTTP/1.1\r\n" },
        { 405, "HEAD / HTTP/1.1\r\n" },
        { 405, "get / HTTP/1.1\r\n" },
        { 404, "GET /0123456789012345678901234567890123456789012345678901234567890123456789 HTTP/1.1\r\n" },
        { 413, "POST / HTTP/1.1\r\nContent-Length: 65537\r\n" },
        { 413, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999999999999999999\r\n" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_EQUAL(status_of(bad[i].text), bad[i].status);
}

static void a_long_head_is_refused(void)
{
    static char text[REQUEST_HEAD_MOST];
    struct request request;

    memset(text, 'x', sizeof text);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    CU_ASSERT_EQUAL(parse(text, sizeof text - 1, &request), 0);
    CU_ASSERT_EQUAL(parse(text, sizeof text, &request), 431);
    memset(text, 'x', sizeof text);
    CU_ASSERT_EQUAL(parse(text, sizeof text, &request), 431);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    memcpy(text + sizeof text - 4, "\r\n\r\n", 4);
    CU_ASSERT_EQUAL(parse(text, sizeof text, &request), 200);
}

static void a_nul_is_no_text(void)
{
    struct request request;
    CU_ASSERT_EQUAL(parse("GET /\0 HTTP/1.1\r\n", 17, &request), 400);
    CU_ASSERT_EQUAL(parse("G\0T / HTTP/1.1\r\n", 16, &request), 400);
    CU_ASSERT_EQUAL(parse("GET / HTTP/1.1\r\nA: \0\r\n", 22, &request), 400);
}

static CU_TestInfo tests[] = {
    { "what curl sends", what_curl_sends },
    { "every prefix wants more", every_prefix_wants_more },
    { "forms that are accepted", forms_that_are_accepted },
    { "forms that are refused", forms_that_are_refused },
    { "a long head is refused", a_long_head_is_refused },
    { "a nul is no text", a_nul_is_no_text },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("admin request", tests);
}
