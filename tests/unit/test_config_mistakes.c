/* What is said of every mistake in mesh.ini: its line, the value, what was expected. */
#include "mesh.h"

#include <stdlib.h>

#define NAMED "[workload]\nname = web\n"

#define DURATION_1 "expected a whole number with a unit, such as 250ms, 2s, 1m or 24h, from 1ms to 24h\n"
#define IDENTITY                                                                                             \
    "; expected namespace/name, where '*' stands for a whole part, or spiffe://trust-domain/path\n"
#define HOST     "; expected a name, an IPv4 or IPv6 address, or a prefix such as 10.1.0.0/16\n"
#define ENDPOINT "; expected ADDRESS:PORT or [ADDRESS]:PORT, numeric, port 1 to 65535\n"
#define DOMAIN_                                                                                              \
    ", which is no trust domain; expected lower-case letters, digits, '-', '.' and '_', such as "            \
    "mesh.local\n"

/* A key of [service a], on line 5; "mesh.ini:5: " stands before what is expected. */
static const struct {
    const char *line, *expected;
} service_lines[] = {
    { "port = 0", "\"port\" is \"0\"; expected a port, 1 to 65535\n" },
    { "port = 65536", "\"port\" is \"65536\"; expected a port, 1 to 65535\n" },
    { "port = http", "\"port\" is \"http\"; expected a port, 1 to 65535\n" },
    { "port = 80 # web",
      "\"port\" is \"80 # web\"; expected a port, 1 to 65535 (a comment behind a value begins with ' ;')\n" },
    { "port =", "\"port\" is empty; expected a value, or no such line\n" },
    { "protocol = grpc", "\"protocol\" is \"grpc\"; expected tcp or http\n" },
    { "mtls = permissive",
      "\"mtls\" is \"permissive\", which only [inbound] knows; expected strict or off\n" },
    { "mtls = Strict", "\"mtls\" is \"Strict\"; expected strict or off\n" },
    { "load_balancer = fast", "\"load_balancer\" is \"fast\"; expected least_request, round_robin, random, "
                              "peak_ewma or ring_hash\n" },
    { "connect_retries = -1", "\"connect_retries\" is \"-1\"; expected a number, 0 to 100\n" },
    { "connect_retries = 101", "\"connect_retries\" is \"101\"; expected a number, 0 to 100\n" },
    { "connect_timeout = 5", "\"connect_timeout\" is \"5\"; " DURATION_1 },
    { "connect_timeout = 0s", "\"connect_timeout\" is \"0s\"; " DURATION_1 },
    { "connect_timeout = 1.5s", "\"connect_timeout\" is \"1.5s\"; " DURATION_1 },
    { "connect_timeout = 25h", "\"connect_timeout\" is \"25h\"; " DURATION_1 },
    { "connect_timeout = 99999999999999999999h",
      "\"connect_timeout\" is \"99999999999999999999h\"; " DURATION_1 },
    { "connect_timeout = 5 s", "\"connect_timeout\" is \"5 s\"; " DURATION_1 },
    { "tolerate_truncation = 1", "\"tolerate_truncation\" is \"1\"; expected yes or no\n" },
    { "identity = web", "\"identity\" has \"web\"" IDENTITY },
    { "identity = a/b/c", "\"identity\" has \"a/b/c\"" IDENTITY },
    { "identity = a/b*", "\"identity\" has \"a/b*\"" IDENTITY },
    { "identity = /a", "\"identity\" has \"/a\"" IDENTITY },
    { "identity = a/..", "\"identity\" has \"a/..\"" IDENTITY },
    { "identity = spiffe://A.b/c", "\"identity\" has \"spiffe://A.b/c\"" IDENTITY },
    { "identity = spiffe://a.b", "\"identity\" has \"spiffe://a.b\"" IDENTITY },
    { "identity = spiffe://a.b/c/", "\"identity\" has \"spiffe://a.b/c/\"" IDENTITY },
    { "identity = spiffe://a.b/*", "\"identity\" has \"spiffe://a.b/*\"" IDENTITY },
    { "identity =", "\"identity\" is empty; expected a list, or no such line\n" },
    { "endpoints = ; none", "\"endpoints\" is empty; expected a list, or no such line\n" },
    { "endpoints = a:80",
      "\"endpoints\" has \"a:80\"; expected a numeric address, for names are not resolved here\n" },
    { "endpoints = 10.0.0.1", "\"endpoints\" has \"10.0.0.1\" without a port; expected ADDRESS:PORT\n" },
    { "endpoints = ::1:80",
      "\"endpoints\" has \"::1:80\"; expected brackets round an IPv6 address, [ADDRESS]:PORT\n" },
    { "endpoints = 10.0.0.1:0", "\"endpoints\" has \"10.0.0.1:0\"" ENDPOINT },
    { "endpoints = [10.0.0.1]:80", "\"endpoints\" has \"[10.0.0.1]:80\"" ENDPOINT },
    { "endpoints = []:80", "\"endpoints\" has \"[]:80\"" ENDPOINT },
    { "endpoints = [::1]", "\"endpoints\" has \"[::1]\"" ENDPOINT },
    { "endpoints = 10.0.0.1:1,,10.0.0.1:2", "\"endpoints\" has nothing before a comma; expected an item\n" },
    { "endpoints = 10.0.0.1:1, [::ffff:10.0.0.1]:1",
      "\"endpoints\" has \"[::ffff:10.0.0.1]:1\" twice, first on line 5; expected it once\n" },
    { "retries = 3", "unknown key \"retries\" in [service NAME]; \"man mesh.ini\" lists the known ones\n" },
    { "hots = b", "unknown key \"hots\" in [service NAME]; did you mean \"host\"?\n" },
    { "Connect-Timeout = 1s",
      "unknown key \"Connect-Timeout\" in [service NAME]; did you mean \"connect_timeout\"?\n" },
    { "allow = a/b", "unknown key \"allow\" in [service NAME]; it belongs in [inbound] or [inbound PORT]\n" },
    { "host = b", "\"host\" is set twice; it was set on line 4, expected it once\n" },
    { "garbage", "expected NAME = VALUE, or a comment that begins with ';'\n" },
    { "port: 80", "expected NAME = VALUE, or a comment that begins with ';'\n" },
    { "= 80", "expected NAME = VALUE, or a comment that begins with ';'\n" },
    { "port = 80\x01", "the line holds a control character; expected plain text\n" },
    { "[service b", "a section's line ends at its ']'; expected [workload], [inbound], [inbound PORT] or "
                    "[service NAME]\n" },
    { "[service a]\nhost = b", "this section stands on line 3 already; expected one, with all its keys\n" },
    { "[servce b]\nfoo = bar", "unknown section \"servce\"; did you mean [service NAME]?\n" },
    { "[routes]",
      "unknown section \"routes\"; expected [workload], [inbound], [inbound PORT] or [service NAME]\n" },
    { "[]", "unknown section \"\"; expected [workload], [inbound], [inbound PORT] or [service NAME]\n" },
    { "[inbound 70000]", "[inbound PORT] with \"70000\"; expected a port, 1 to 65535\n" },
    { "[service]", "[service] has no name; expected [service NAME]\n" },
    { "[service -a]", "[service NAME] with \"-a\"; expected at most 63 letters, digits, '-', '_' and '.', a "
                      "letter or a digit at both ends\n" },
};

static void mistakes_in_a_service(void)
{
    for (size_t i = 0; i < sizeof service_lines / sizeof *service_lines; i++) {
        char text[512], expected[512];
        snprintf(text, sizeof text, NAMED "[service a]\nhost = a\n%s\n", service_lines[i].line);
        snprintf(expected, sizeof expected, "mesh.ini:5: %s", service_lines[i].expected);
        mesh_bad(text, expected);
    }
}

static void mistakes_in_hosts(void)
{
    static const char *const hosts[] = { "1.2.3", "256.1.1.1",    "a..b", "a b", "http://a", "a_b.7",
                                         ".",     "fe80::1%eth0", ".a",   "a..", "\xc3\xa9" };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char text[512], expected[512];
        snprintf(text, sizeof text, NAMED "[service a]\nhost = %s\n", hosts[i]);
        snprintf(expected, sizeof expected, "mesh.ini:4: \"host\" has \"%s\"" HOST,
                 hosts[i][0] & 0x80 ? "\\xc3\\xa9" : hosts[i]);
        mesh_bad(text, expected);
    }
    mesh_bad(NAMED "[service a]\nhost = ok, *.b,\n  10.0.0.1/8\n  10.0.0.0/33,\n  x:80, [::1]:81\n",
             "mesh.ini:4: \"host\" has \"*.b\"; expected whole names, for a '*' is not understood\n"
             "mesh.ini:5: \"host\" has \"10.0.0.1/8\", which sets bits beyond its prefix; expected "
             "10.0.0.0/8, or the address alone\n"
             "mesh.ini:6: \"host\" has \"10.0.0.0/33\"; expected a prefix length of 0 to 32 for IPv4, 0 to "
             "128 for IPv6\n"
             "mesh.ini:7: \"host\" has \"x:80\"; expected it without a port, and a line \"port = 80\"\n"
             "mesh.ini:7: \"host\" has \"[::1]:81\"; expected it without a port, and a line \"port = 81\"\n");
    mesh_bad(NAMED "[service a]\nport = 80\n",
             "mesh.ini:3: [service a] has no host; expected \"host = NAME, ADDRESS, ...\"\n");
}

static void mistakes_in_the_workload(void)
{
    mesh_bad("[workload]\nname = a/b\nnamespace = ..\ntrust_domain = Mesh.local\n",
             "mesh.ini:2: \"name\" is \"a/b\"" SEGMENT "\n"
             "mesh.ini:3: \"namespace\" is \"..\", which is a relative path; expected a name\n"
             "mesh.ini:4: \"trust_domain\" is \"Mesh.local\"" DOMAIN_);
    mesh_bad("name = web\n" NAMED,
             "mesh.ini:1: \"name\" stands before any section; expected a line such as [workload] above it\n");
    mesh_bad("[workload x]\nname = web\n", "mesh.ini:1: [workload] with \"x\"; expected [workload] alone\n");
}

static void mistakes_in_inbound(void)
{
    mesh_bad(NAMED
             "[inbound]\nmtls = yes\nallow =\nhandshake_grace = 1d\n[inbound 80]\n[inbound 080]\nallow = x\n",
             "mesh.ini:4: \"mtls\" is \"yes\"; expected strict, permissive or off\n"
             "mesh.ini:5: \"allow\" is empty; expected a list, or no such line\n"
             "mesh.ini:6: \"handshake_grace\" is \"1d\"; expected a whole number with a unit, such as 250ms, "
             "2s, 1m or 24h, from 0ms to 24h\n"
             "mesh.ini:8: this section stands on line 7 already; expected one, with all its keys\n"
             "mesh.ini:9: \"allow\" has \"x\"" IDENTITY);
}

static void a_host_belongs_to_one_service(void)
{
    mesh_bad(NAMED "[service a]\nhost = x,\n  10.0.0.0/8\nport = 80\n[service b]\nhost = y,\n  X.,\n  "
                   "::ffff:10.0.0.0/104\nport = 80\n",
             "mesh.ini:9: host \"x\" with port 80 belongs to [service a] already, by line 4; expected one "
             "service for it\n"
             "mesh.ini:10: host \"10.0.0.0/8\" with port 80 belongs to [service a] already, by line 5; "
             "expected one service for it\n");
    mesh_bad(NAMED "[service a]\nhost = x\n[service b]\nhost = x\n",
             "mesh.ini:6: host \"x\" with any port belongs to [service a] already, by line 4; expected one "
             "service for it, or ports\n");
    mesh_bad(NAMED "[service a]\nhost = x,\n X\n",
             "mesh.ini:5: \"host\" has \"x\" twice, first on line 4; expected it once\n");
    snapshot_unref(mesh_good(
        NAMED "[service a]\nhost = x\n[service b]\nhost = x\nport = 80\n[service c]\nhost = x\nport = 81\n"));
}

static void indented_lines(void)
{
    mesh_bad(NAMED "[service a]\nhost = a\nconnect_timeout = 1s\n  2s\n",
             "mesh.ini:6: an indented line goes on with \"connect_timeout\", which is no list; expected one "
             "value on one line\n");
    /* What goes on with a refused key is not taken for the key before it. */
    mesh_bad(NAMED "[service a]\nhost = a\nhots = b,\n  *,\n  c\nnonsense\n  *\n",
             "mesh.ini:5: unknown key \"hots\" in [service NAME]; did you mean \"host\"?\n"
             "mesh.ini:8: expected NAME = VALUE, or a comment that begins with ';'\n");
    /* A section ends a list, and an indented line under it goes on with nothing. */
    mesh_bad(NAMED "[service a]\nhost = a\n[inbound]\n  b\n",
             "mesh.ini:6: expected NAME = VALUE, or a comment that begins with ';'\n");
}

/* inih would cut both without a word. */
static void long_lines(void)
{
    char text[1024], expected[256], filler[300];

    memset(filler, 'x', sizeof filler);
    snprintf(text, sizeof text, NAMED "certificate = /%.*s\n", 197 - 15, filler);
    snapshot_unref(mesh_good(text));
    snprintf(text, sizeof text, NAMED "certificate = /%.*s\n  *\n[inbound]\nmtls = no\n", 198 - 15, filler);
    mesh_bad(
        text,
        "mesh.ini:3: the line is 198 bytes long; expected at most 197 (a list may go on in indented lines)\n"
        "mesh.ini:6: \"mtls\" is \"no\"; expected strict, permissive or off\n");
    snprintf(text, sizeof text, NAMED "; %.*s\n", 290, filler);
    snapshot_unref(mesh_good(text));
    snprintf(text, sizeof text, NAMED "[service %.*s]\nhost = a\n", 63, filler);
    snapshot_unref(mesh_good(text));
    snprintf(text, sizeof text, NAMED "[service %.*s]\nhost = a\n[service %.*sy]\nhost = b\n", 62, filler, 62,
             filler);
    snapshot_unref(mesh_good(text));
    snprintf(text, sizeof text, NAMED "%.*s = 1\n", 80, filler);
    snprintf(expected, sizeof expected,
             "mesh.ini:3: unknown key \"%.*s...\" in [workload]; \"man mesh.ini\" lists the known ones\n", 63,
             filler);
    mesh_bad(text, expected);
}

static void a_nul_is_no_end(void)
{
    static const char text[] = NAMED "\0[inbound]\nmtls = nonsense\n";
    struct buf problems = BUF_INIT;
    CU_ASSERT_PTR_NULL(config_parse("mesh.ini", text, sizeof text - 1, &problems));
    CU_ASSERT_STRING_EQUAL(
        buf_text(&problems),
        "mesh.ini:3: the line holds a control character; expected plain text\n"
        "mesh.ini:4: unknown key \"mtls\" in [workload]; it belongs in [inbound] or [inbound PORT]\n");
    buf_free(&problems);
}

static void a_flood_of_mistakes_is_counted(void)
{
    struct buf text = BUF_INIT, problems = BUF_INIT;
    buf_puts(&text, NAMED);
    for (int i = 0; i < 1500; i++)
        buf_puts(&text, "x\n");
    CU_ASSERT_PTR_NULL(config_parse("mesh.ini", text.data, text.length, &problems));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&problems), "mesh.ini: and 500 more like these\n"));
    buf_free(&text);
    buf_free(&problems);
}

static CU_TestInfo tests[] = {
    { "mistakes in a service", mistakes_in_a_service },
    { "mistakes in hosts", mistakes_in_hosts },
    { "mistakes in the workload", mistakes_in_the_workload },
    { "mistakes in inbound", mistakes_in_inbound },
    { "a host belongs to one service", a_host_belongs_to_one_service },
    { "indented lines", indented_lines },
    { "long lines and names", long_lines },
    { "a NUL ends nothing", a_nul_is_no_end },
    { "a flood of mistakes is counted", a_flood_of_mistakes_is_counted },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("config, mistakes", tests);
}
