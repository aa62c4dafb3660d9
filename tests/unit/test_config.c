/* mesh.ini: what each key means, what stands where it does not; the environment and the files beside it. */
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
    CU_ASSERT_EQUAL(inbound->session_resumption, RESUMPTION_YES);
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
    CU_ASSERT_EQUAL(service->session_resumption, RESUMPTION_YES);
    CU_ASSERT_FALSE(service->tolerate_truncation);
    snapshot_unref(snapshot);
}

static void resumption_of(const char *word, enum session_resumption meaning, const char *json_word)
{
    char ini[256], expected[128];
    struct buf json = BUF_INIT;
    snprintf(ini, sizeof ini, NAMED "[inbound]\nsession_resumption = %s\n", word);
    snprintf(expected, sizeof expected, "\"session_resumption\":%s,", json_word);
    struct snapshot *snapshot = mesh_good(ini);
    CU_ASSERT_EQUAL(snapshot_inbound(snapshot, 80)->session_resumption, meaning);
    CU_ASSERT_EQUAL(snapshot_resumes(snapshot), meaning != RESUMPTION_NO);
    config_write_json(snapshot, &json);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&json), expected));
    buf_free(&json);
    snapshot_unref(snapshot);
}

static void resumption(void)
{
    resumption_of("yes", RESUMPTION_YES, "true");
    resumption_of("on", RESUMPTION_YES, "true");
    resumption_of("off", RESUMPTION_NO, "false");
    resumption_of("without_forward_secrecy", RESUMPTION_WITHOUT_FORWARD_SECRECY,
                  "\"without_forward_secrecy\"");
}

static void every_service_key(void)
{
    struct snapshot *snapshot = mesh_good(
        NAMED
        "[service pay.v2_x-1]\nhost = a\nport = 65535\nprotocol = http\nmtls = off\n"
        "identity = ops/*, spiffe://other.org/x/y\nendpoints = 10.1.0.5:1, [FD00::1]:65535\n"
        "load_balancer = ring_hash\nconnect_timeout = 250ms\nconnect_retries = 0\n"
        "handshake_timeout = 1m\nhandshake_grace = 0ms\nsession_resumption = no\ntolerate_truncation = on\n");
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
    CU_ASSERT_EQUAL(service->session_resumption, RESUMPTION_NO);
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

__attribute__((no_sanitize("address", "thread"))) static unsigned count_key_in(const unsigned char *from,
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
        "r\",\"unmeshable\":\"refuse\",\"record_layer\":\"auto\",\"keep_preload\":true},\"inbound\":[{"
        "\"port\":null,\"mtls\":"
        "\"strict\","
        "\"protocol\":\"tcp\",\"allow\":[],\"handshake_timeout_ms\":5000,\"handshake_grace_ms\":50,"
        "\"session_resumption\":true,\"tolerate_truncation\":false},"
        "{\"port\":80,\"mtls\":\"strict\",\"protocol\":\"tcp\",\"allow\":[\"a/b\",\"*/"
        "c\"],\"handshake_timeout_ms\":5000,"
        "\"handshake_grace_ms\":50,\"session_resumption\":true,\"tolerate_truncation\":false}],\"services\":["
        "{\"name\":\"s\",\"host\":["
        "\"h\",\"10.0.0.0/8\"],"
        "\"port\":null,\"protocol\":\"tcp\",\"mtls\":\"strict\",\"identity\":[],\"endpoints\":[\"[::1]:1\"],"
        "\"load_balancer\":\"least_request\",\"connect_timeout_ms\":1000,\"connect_retries\":2,\"handshake_"
        "timeout_ms\":5000,"
        "\"handshake_grace_ms\":50,\"session_resumption\":true,\"tolerate_truncation\":false}]}");
    buf_free(&json);
    snapshot_unref(snapshot);
}

static CU_TestInfo tests[] = {
    { "defaults", defaults },
    { "session resumption", resumption },
    { "every key of a service", every_service_key },
    { "ports inherit from [inbound], wherever it stands", ports_inherit_wherever_inbound_stands },
    { "BOM, CRLF, indentation, comments", layout_is_free },
    { "booleans", booleans },
    { "a name is needed for mutual TLS only", a_name_is_needed_for_mutual_tls_only },
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
    return check_run("config", tests);
}
