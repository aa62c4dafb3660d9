/* mesh.ini: what each key means, what stands where it does not, and what is said of every mistake. */
#include "mesh.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NAMED "[workload]\nname = web\n"

static const struct service *only_service(const struct snapshot *snapshot)
{
    CU_ASSERT_EQUAL_FATAL(snapshot_service_count(snapshot), 1);
    return snapshot_service(snapshot, 0);
}

/* --- what is right --- */

static void defaults(void)
{
    struct snapshot *snapshot = mesh_good(NAMED "[service a]\nhost = a\n");
    const struct workload *workload = snapshot_workload(snapshot);
    const struct inbound_policy *inbound = snapshot_inbound(snapshot, 80);
    const struct service *service = only_service(snapshot);

    CU_ASSERT_STRING_EQUAL(workload->namespace_, "default");
    CU_ASSERT_STRING_EQUAL(workload->trust_domain, "cluster.local");
    CU_ASSERT_STRING_EQUAL(workload->spiffe_id, "spiffe://cluster.local/ns/default/sa/web");
    CU_ASSERT_PTR_NULL(workload->certificate.path);
    CU_ASSERT_EQUAL(inbound->port, 0);
    CU_ASSERT_EQUAL(inbound->mtls, MTLS_STRICT);
    CU_ASSERT_EQUAL(inbound->protocol, PROTOCOL_TCP);
    CU_ASSERT_EQUAL(inbound->allow.count, 0);
    CU_ASSERT_EQUAL(inbound->handshake_timeout_ms, 5000);
    CU_ASSERT_EQUAL(inbound->handshake_grace_ms, 50);
    CU_ASSERT_FALSE(inbound->tolerate_truncation);
    CU_ASSERT_STRING_EQUAL(service->name, "a");
    CU_ASSERT_EQUAL(service->port, 0);
    CU_ASSERT_EQUAL(service->mtls, MTLS_STRICT);
    CU_ASSERT_EQUAL(service->load_balancer, LB_LEAST_REQUEST);
    CU_ASSERT_EQUAL(service->connect_timeout_ms, 1000);
    CU_ASSERT_EQUAL(service->connect_retries, 2);
    CU_ASSERT_EQUAL(service->handshake_timeout_ms, 5000);
    CU_ASSERT_EQUAL(service->handshake_grace_ms, 50);
    CU_ASSERT_EQUAL(service->endpoint_count, 0);
    CU_ASSERT_FALSE(service->tolerate_truncation);
    snapshot_unref(snapshot);
}

static void every_service_key(void)
{
    struct snapshot *snapshot =
        mesh_good(NAMED "[service pay.v2_x-1]\nhost = a\nport = 65535\nprotocol = http\nmtls = off\n"
                        "identity = ops/*, spiffe://other.org/x/y\nendpoints = 10.1.0.5:1, [FD00::1]:65535\n"
                        "load_balancer = ring_hash\nconnect_timeout = 250ms\nconnect_retries = 0\n"
                        "handshake_timeout = 1m\nhandshake_grace = 0ms\ntolerate_truncation = on\n");
    const struct service *service = only_service(snapshot);

    CU_ASSERT_STRING_EQUAL(service->name, "pay.v2_x-1");
    CU_ASSERT_EQUAL(service->port, 65535);
    CU_ASSERT_EQUAL(service->protocol, PROTOCOL_HTTP);
    CU_ASSERT_EQUAL(service->mtls, MTLS_OFF);
    CU_ASSERT_EQUAL_FATAL(service->identity.count, 2);
    CU_ASSERT_STRING_EQUAL(service->identity.patterns[0], "ops/*");
    CU_ASSERT_STRING_EQUAL(service->identity.patterns[1], "spiffe://other.org/x/y");
    CU_ASSERT_EQUAL_FATAL(service->endpoint_count, 2);
    CU_ASSERT_STRING_EQUAL(service->endpoints[0].text, "10.1.0.5:1");
    CU_ASSERT_EQUAL(service->endpoints[0].address.ss_family, AF_INET);
    CU_ASSERT_STRING_EQUAL(service->endpoints[1].text, "[fd00::1]:65535");
    CU_ASSERT_EQUAL(service->endpoints[1].address.ss_family, AF_INET6);
    CU_ASSERT_EQUAL(service->load_balancer, LB_RING_HASH);
    CU_ASSERT_EQUAL(service->connect_timeout_ms, 250);
    CU_ASSERT_EQUAL(service->connect_retries, 0);
    CU_ASSERT_EQUAL(service->handshake_timeout_ms, 60000);
    CU_ASSERT_EQUAL(service->handshake_grace_ms, 0);
    CU_ASSERT_TRUE(service->tolerate_truncation);
    snapshot_unref(snapshot);
}

static void ports_inherit_wherever_inbound_stands(void)
{
    struct snapshot *snapshot =
        mesh_good("[inbound 9090]\nallow = a/b\nmtls = off\n"
                  "[inbound 80]\nprotocol = http\n" NAMED
                  "[inbound]\nmtls = permissive\nallow = x/y, x/z\nhandshake_timeout = 2s\n"
                  "tolerate_truncation = yes\n");
    const struct inbound_policy *http = snapshot_inbound(snapshot, 80),
                                *off = snapshot_inbound(snapshot, 9090);

    CU_ASSERT_EQUAL(snapshot_inbound_count(snapshot), 2);
    CU_ASSERT_PTR_EQUAL(snapshot_inbound_at(snapshot, 0), http);
    CU_ASSERT_PTR_EQUAL(snapshot_inbound_at(snapshot, 1), off);
    CU_ASSERT_EQUAL(http->port, 80);
    CU_ASSERT_EQUAL(http->protocol, PROTOCOL_HTTP);
    CU_ASSERT_EQUAL(http->mtls, MTLS_PERMISSIVE);
    CU_ASSERT_EQUAL(http->allow.count, 2);
    CU_ASSERT_EQUAL(http->handshake_timeout_ms, 2000);
    CU_ASSERT_TRUE(http->tolerate_truncation);
    CU_ASSERT_EQUAL(off->mtls, MTLS_OFF);
    CU_ASSERT_EQUAL_FATAL(off->allow.count, 1);
    CU_ASSERT_STRING_EQUAL(off->allow.patterns[0], "a/b");
    CU_ASSERT_EQUAL(snapshot_inbound(snapshot, 81)->port, 0);
    CU_ASSERT_EQUAL(snapshot_inbound(snapshot, 81)->mtls, MTLS_PERMISSIVE);
    snapshot_unref(snapshot);
}

static void layout_is_free(void)
{
    /* A BOM, CRLF, indented keys and sections, comments at ends of lines and amid a list, no newline at the end. */
    struct snapshot *snapshot =
        mesh_good("\xef\xbb\xbf[workload]\r\n\tname = web ; who\r\n\r\n# a comment\r\n"
                  "  [ service   a ] ; what\r\n"
                  "    host = one, ; first\r\n\r\n  ; amid\r\n      two,\r\n\tthree ; last\r\n"
                  "    endpoints =\r\n  10.0.0.1:1\r\n  [::1]:2,\r\n"
                  "    port = 80");
    const struct service *service = only_service(snapshot);

    CU_ASSERT_PTR_EQUAL(snapshot_match_name(snapshot, "one"), service);
    CU_ASSERT_PTR_EQUAL(snapshot_match_name(snapshot, "two"), service);
    CU_ASSERT_PTR_EQUAL(snapshot_match_name(snapshot, "three"), service);
    CU_ASSERT_EQUAL(service->endpoint_count, 2);
    CU_ASSERT_EQUAL(service->port, 80);
    snapshot_unref(snapshot);
}

static void booleans(void)
{
    static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };
    for (size_t i = 0; i < 6; i++) {
        char text[128];
        struct snapshot *snapshot;
        snprintf(text, sizeof text, NAMED "[inbound]\ntolerate_truncation = %s\n", words[i]);
        snapshot = mesh_good(text);
        CU_ASSERT_EQUAL(snapshot_inbound(snapshot, 1)->tolerate_truncation, i % 2 == 1);
        snapshot_unref(snapshot);
    }
}

static void a_name_is_needed_for_mutual_tls_only(void)
{
    snapshot_unref(mesh_good("[inbound]\nmtls = off\n[service a]\nhost = a\nmtls = off\n"));
    mesh_bad("", "mesh.ini: [workload] has no name, and [inbound] (strict unless it says otherwise) asks for "
                 "mutual TLS; "
                 "expected \"name = NAME\" or MESHSHIM_WORKLOAD\n");
    mesh_bad("[inbound]\nmtls = off\n[workload]\n[inbound 80]\nmtls = permissive\n",
             "mesh.ini:3: [workload] has no name, and [inbound] or [inbound PORT] asks for mutual TLS; "
             "expected \"name = "
             "NAME\" or MESHSHIM_WORKLOAD\n");
    mesh_bad("[inbound]\nmtls = off\n[service a]\nhost = a\n",
             "mesh.ini: [workload] has no name, and [service NAME] asks for mutual TLS; expected \"name = "
             "NAME\" or "
             "MESHSHIM_WORKLOAD\n");
}

/* --- what is wrong: line, value, what was expected --- */

#define DURATION_1 "expected a whole number with a unit, such as 250ms, 2s, 1m or 24h, from 1ms to 24h\n"
#define IDENTITY                                                                                             \
    "; expected namespace/name, where '*' stands for a whole part, or spiffe://trust-domain/path\n"
#define HOST     "; expected a name, an IPv4 or IPv6 address, or a prefix such as 10.1.0.0/16\n"
#define ENDPOINT "; expected ADDRESS:PORT or [ADDRESS]:PORT, numeric, port 1 to 65535\n"
#define SEGMENT                                                                                              \
    ", which holds a character that a SPIFFE ID may not; expected letters, digits, '-', '.' and '_'"
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

/* --- the environment --- */

static void overrides(void)
{
    struct snapshot *snapshot;
    const struct workload *workload;

    setenv("MESHSHIM_WORKLOAD", "job", 1);
    setenv("MESHSHIM_NAMESPACE", "batch", 1);
    setenv("MESHSHIM_TRUST_DOMAIN", "", 1);
    setenv("MESHSHIM_RUNTIME_DIR", "/somewhere", 1);
    setenv("MESHSHIM_PRIVATE_KEY", "/nowhere/key.pem", 1);
    snapshot = mesh_good("[workload]\nname = web\ntrust_domain = mesh.local\nruntime_dir = /run/x\n");
    workload = snapshot_workload(snapshot);
    CU_ASSERT_STRING_EQUAL(workload->spiffe_id, "spiffe://mesh.local/ns/batch/sa/job");
    CU_ASSERT_STRING_EQUAL(workload->runtime_dir, "/somewhere");
    CU_ASSERT_STRING_EQUAL(workload->private_key.path, "/nowhere/key.pem");
    CU_ASSERT_EQUAL(workload->private_key.error, ENOENT);
    snapshot_unref(snapshot);

    setenv("MESHSHIM_NAMESPACE", "a/b", 1);
    mesh_bad(NAMED "nmespace = x\n",
             "MESHSHIM_NAMESPACE: \"namespace\" is \"a/b\"" SEGMENT "\n"
             "mesh.ini:3: unknown key \"nmespace\" in [workload]; did you mean \"namespace\"?\n");
    unsetenv("MESHSHIM_WORKLOAD");
    unsetenv("MESHSHIM_NAMESPACE");
    unsetenv("MESHSHIM_TRUST_DOMAIN");
    unsetenv("MESHSHIM_RUNTIME_DIR");
    unsetenv("MESHSHIM_PRIVATE_KEY");
}

static void where_the_configuration_is(void)
{
    bool is_explicit;
    unsetenv("MESHSHIM_CONFIG");
    CU_ASSERT_STRING_EQUAL(config_path(&is_explicit), "/etc/meshshim/mesh.ini");
    CU_ASSERT_FALSE(is_explicit);
    setenv("MESHSHIM_CONFIG", "/x/mesh.ini", 1);
    CU_ASSERT_STRING_EQUAL(config_path(&is_explicit), "/x/mesh.ini");
    CU_ASSERT_TRUE(is_explicit);
    unsetenv("MESHSHIM_CONFIG");
}

static void identities_and_sockets_have_bounds(void)
{
    struct buf text = BUF_INIT;
    char filler[200];

    memset(filler, 'x', sizeof filler);
    buf_printf(&text, "[workload]\nname = %.*s\nnamespace = %.*s\n", 150, filler, 80, filler);
    mesh_bad(text.data,
             "mesh.ini:1: [workload] gives an identity of 260 bytes; expected at most 255 in all\n");
    buf_free(&text);
    buf_printf(&text, NAMED "runtime_dir = /%.*s\n", 91, filler);
    mesh_bad(text.data, "mesh.ini:3: \"runtime_dir\" is 92 bytes long; expected at most 91, for Unix "
                        "sockets' names are short\n");
    buf_free(&text);
}

/* --- files --- */

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[128];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void files_are_beside_the_configuration(void)
{
    char directory[] = "/tmp/meshshim-test-XXXXXX", path[128];
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot;
    const struct workload *workload;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    write_file(directory, "cert.pem", "certificate");
    write_file(directory, "key.pem", "secret");
    write_file(
        directory, "mesh.ini",
        NAMED
        "certificate = cert.pem\nprivate_key = ./key.pem\ntrust_bundle = none.pem\nruntime_dir = run\n");
    snprintf(path, sizeof path, "%s/mesh.ini", directory);
    snapshot = config_load(path, &problems);
    CU_ASSERT_STRING_EQUAL(buf_text(&problems), "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(snapshot);
    CU_ASSERT_STRING_EQUAL(snapshot_path(snapshot), path);
    workload = snapshot_workload(snapshot);
    CU_ASSERT_STRING_EQUAL(workload->certificate.text, "certificate");
    CU_ASSERT_EQUAL(workload->certificate.length, strlen("certificate"));
    CU_ASSERT_STRING_EQUAL(workload->private_key.text, "secret");
    CU_ASSERT_PTR_NULL(workload->trust_bundle.text);
    CU_ASSERT_EQUAL(workload->trust_bundle.error, ENOENT);
    CU_ASSERT_STRING_EQUAL(workload->runtime_dir + strlen(directory), "/run");
    snapshot_unref(snapshot);
    buf_free(&problems);
    snprintf(path, sizeof path, "rm -r %s", directory);
    CU_ASSERT_EQUAL(system(path), 0);
}

/* A pipe without a writer must not hold the program up. */
static void unreadable_files_are_named(void)
{
    char directory[] = "/tmp/meshshim-test-XXXXXX", path[128], expected[256];
    struct buf problems = BUF_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/pipe", directory);
    CU_ASSERT_PTR_NULL(config_load(path, &problems));
    snprintf(expected, sizeof expected,
             "%s: cannot be read (No such file or directory); expected a configuration file there, or "
             "another one in MESHSHIM_CONFIG\n",
             path);
    CU_ASSERT_STRING_EQUAL(buf_text(&problems), expected);
    buf_free(&problems);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    CU_ASSERT_PTR_NULL(config_load(path, &problems));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&problems), "(it is no regular file)"));
    buf_free(&problems);
    unlink(path);
    CU_ASSERT_PTR_NULL(config_load(directory, &problems));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&problems), "(Is a directory)"));
    buf_free(&problems);
    rmdir(directory);
}

/* The key that the test writes is this, byte by byte exclusive-or 0x5a: so nothing but the file holds the key itself. */
static const char veiled[] = "what the private key of this test is made from";

__attribute__((no_sanitize("address"))) static unsigned count_key_in(const unsigned char *from,
                                                                     const unsigned char *to)
{
    unsigned count = 0;
    for (; from + sizeof veiled <= to; from++) {
        size_t same = 0;
        while (same < sizeof veiled && (from[same] ^ 0x5a) == (unsigned char)veiled[same])
            same++;
        count += same == sizeof veiled;
    }
    return count;
}

/* How often the key stands in this process's writable memory. A sanitizer's shadow is too large to look through. */
static unsigned count_key(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], rights[8];
    unsigned long from, to;
    unsigned count = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && rights[0] == 'r' && rights[1] == 'w' &&
            to - from < 64ul << 20 && !strstr(line, "[v"))
            count += count_key_in((const unsigned char *)from, (const unsigned char *)to);
    fclose(maps);
    return count;
}

static void the_key_is_wiped(void)
{
    char path[] = "/tmp/meshshim-test-XXXXXX", text[128];
    int fd = mkstemp(path);
    struct snapshot *snapshot;

    CU_ASSERT_FATAL(fd >= 0);
    for (size_t i = 0; i < sizeof veiled; i++) {
        char byte = (char)(veiled[i] ^ 0x5a);
        CU_ASSERT_EQUAL_FATAL(write(fd, &byte, 1), 1);
    }
    close(fd);
    snprintf(text, sizeof text, NAMED "private_key = %s\n", path);
    snapshot = mesh_good(text);
    CU_ASSERT_EQUAL(snapshot_workload(snapshot)->private_key.length, sizeof veiled);
    CU_ASSERT_EQUAL(count_key(), 1);
    snapshot_unref(snapshot);
    CU_ASSERT_EQUAL(count_key(), 0);
    unlink(path);
}

static void as_json(void)
{
    struct snapshot *snapshot =
        mesh_good(NAMED "certificate = /a\"\\\xff\xc3\xa9\nruntime_dir = /r\n[inbound 80]\nallow = a/b, */c\n"
                        "[service s]\nhost = h, 10.0.0.0/8\nendpoints = [::1]:1\n");
    struct buf json = BUF_INIT;
    config_write_json(snapshot, &json);
    CU_ASSERT_STRING_EQUAL(
        buf_text(&json),
        "{\"path\":\"mesh.ini\",\"workload\":{\"name\":\"web\",\"namespace\":\"default\",\"trust_domain\":"
        "\"cluster.local\","
        "\"spiffe_id\":\"spiffe://cluster.local/ns/default/sa/web\",\"certificate\":\"/"
        "a\\u0022\\u005c\\u00ff\xc3\xa9\","
        "\"private_key\":null,\"trust_bundle\":null,\"runtime_dir\":\"/"
        "r\",\"unmeshable\":\"refuse\"},\"inbound\":[{\"port\":null,\"mtls\":\"strict\","
        "\"protocol\":\"tcp\",\"allow\":[],\"handshake_timeout_ms\":5000,\"handshake_grace_ms\":50,"
        "\"tolerate_truncation\":false},"
        "{\"port\":80,\"mtls\":\"strict\",\"protocol\":\"tcp\",\"allow\":[\"a/b\",\"*/"
        "c\"],\"handshake_timeout_ms\":5000,"
        "\"handshake_grace_ms\":50,\"tolerate_truncation\":false}],\"services\":[{\"name\":\"s\",\"host\":["
        "\"h\",\"10.0.0.0/8\"],"
        "\"port\":null,\"protocol\":\"tcp\",\"mtls\":\"strict\",\"identity\":[],\"endpoints\":[\"[::1]:1\"],"
        "\"load_balancer\":\"least_request\",\"connect_timeout_ms\":1000,\"connect_retries\":2,\"handshake_"
        "timeout_ms\":5000,"
        "\"handshake_grace_ms\":50,\"tolerate_truncation\":false}]}");
    buf_free(&json);
    snapshot_unref(snapshot);
}

static CU_TestInfo tests[] = {
    { "defaults", defaults },
    { "every key of a service", every_service_key },
    { "ports inherit from [inbound], wherever it stands", ports_inherit_wherever_inbound_stands },
    { "BOM, CRLF, indentation, comments", layout_is_free },
    { "booleans", booleans },
    { "a name is needed for mutual TLS only", a_name_is_needed_for_mutual_tls_only },
    { "mistakes in a service", mistakes_in_a_service },
    { "mistakes in hosts", mistakes_in_hosts },
    { "mistakes in the workload", mistakes_in_the_workload },
    { "mistakes in inbound", mistakes_in_inbound },
    { "a host belongs to one service", a_host_belongs_to_one_service },
    { "indented lines", indented_lines },
    { "long lines and names", long_lines },
    { "a NUL ends nothing", a_nul_is_no_end },
    { "a flood of mistakes is counted", a_flood_of_mistakes_is_counted },
    { "the environment overrides", overrides },
    { "where the configuration is", where_the_configuration_is },
    { "identities and sockets have bounds", identities_and_sockets_have_bounds },
    { "files are beside the configuration", files_are_beside_the_configuration },
    { "unreadable files are named, pipes do not block", unreadable_files_are_named },
    { "the private key is wiped", the_key_is_wiped },
    { "as JSON", as_json },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return mesh_run("config", tests);
}
