/* Which service a program dials, which identities a list lets in, who owns a snapshot. */
#include "mesh.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#define NAMED "[workload]\nname = web\n"

/* The name of the service that claims "address" and port, having been learnt from `name`; "-" where none does. */
static const char *dial(const struct snapshot *snapshot, const char *address, uint16_t port, const char *name)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    const struct service *service;

    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        service = snapshot_match(snapshot, (struct sockaddr *)&v4, sizeof v4, name);
    else {
        CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
        service = snapshot_match(snapshot, (struct sockaddr *)&v6, sizeof v6, name);
    }
    return service ? service->name : "-";
}

#define DIALS(address, port, name, expected)                                                                 \
    CU_ASSERT_STRING_EQUAL(dial(snapshot, address, port, name), expected)

static void the_most_specific_wins(void)
{
    struct snapshot *snapshot = mesh_good(NAMED "[service all]\nhost = 0.0.0.0/0\n"
                                                "[service wide]\nhost = 10.0.0.0/8\n"
                                                "[service wide80]\nhost = 10.0.0.0/8\nport = 80\n"
                                                "[service narrow]\nhost = 10.2.0.0/15\n"
                                                "[service one]\nhost = 10.2.2.3\nport = 81\n");
    DIALS("192.0.2.1", 1, NULL, "all");
    DIALS("10.9.9.9", 1, NULL, "wide");
    DIALS("10.9.9.9", 80, NULL, "wide80");
    /* The prefix comes before the port. */
    DIALS("10.3.255.255", 80, NULL, "narrow");
    DIALS("10.4.0.0", 80, NULL, "wide80");
    DIALS("10.2.2.3", 81, NULL, "one");
    DIALS("10.2.2.3", 80, NULL, "narrow");
    snapshot_unref(snapshot);
}

static void names_before_addresses(void)
{
    struct snapshot *snapshot = mesh_good(NAMED "[service number]\nhost = 10.0.0.1\nport = 80\n"
                                                "[service named]\nhost = Pay.Svc.\n"
                                                "[service named80]\nhost = pay.svc\nport = 80\n"
                                                "[service other]\nhost = other.svc\nport = 81\n");
    DIALS("10.0.0.1", 80, NULL, "number");
    DIALS("10.0.0.1", 80, "pay.svc", "named80");
    DIALS("10.0.0.1", 80, "PAY.svc.", "named80");
    DIALS("10.0.0.1", 9, "pay.svc", "named");
    DIALS("10.0.0.1", 80, "unknown", "number");
    DIALS("10.0.0.1", 80, "", "number");
    DIALS("10.0.0.1", 9, "unknown", "-");
    /* A name of a service for another port claims nothing; the address still may. */
    DIALS("10.0.0.1", 80, "other.svc", "number");
    DIALS("10.0.0.1", 81, "other.svc", "other");
    DIALS("::1", 81, "other.svc", "other");
    DIALS("10.0.0.2", 80, NULL, "-");
    snapshot_unref(snapshot);
}

static void mapped_addresses_are_ipv4(void)
{
    struct snapshot *snapshot = mesh_good(NAMED "[service four]\nhost = 10.0.0.0/8\n"
                                                "[service six]\nhost = ::/0\n"
                                                "[service lan]\nhost = fd00::/8\nport = 80\n"
                                                "[service mapped]\nhost = ::ffff:192.0.2.0/120\n");
    DIALS("::ffff:10.1.1.1", 80, NULL, "four");
    DIALS("::ffff:11.1.1.1", 80, NULL, "-"); /* ::/0 is IPv6 alone */
    DIALS("192.0.2.9", 80, NULL, "mapped");
    DIALS("::ffff:192.0.2.9", 80, NULL, "mapped");
    DIALS("fd12::1", 80, NULL, "lan");
    DIALS("fd12::1", 81, NULL, "six");
    DIALS("2001:db8::1", 80, NULL, "six");
    snapshot_unref(snapshot);
}

/* Each prefix length of both families at once. */
static void every_prefix_length(void)
{
    struct buf text = BUF_INIT;
    struct snapshot *snapshot;
    char name[16], address[64];

    buf_puts(&text, NAMED);
    for (unsigned bits = 0; bits <= 32; bits++) {
        uint32_t network = bits ? UINT32_MAX << (32 - bits) : 0;
        buf_printf(&text, "[service v4.%u]\nhost = %u.%u.%u.%u/%u\n", bits, network >> 24,
                   network >> 16 & 255, network >> 8 & 255, network & 255, bits);
    }
    for (unsigned bits = 16; bits <= 112; bits += 16) {
        buf_printf(&text, "[service v6.%u]\nhost = ", bits);
        for (unsigned i = 0; i < bits / 16; i++)
            buf_puts(&text, i ? ":fd00" : "fd00");
        buf_printf(&text, "%s/%u\n", bits == 112 ? ":0" : "::", bits);
    }
    snapshot = mesh_good(text.data);
    buf_free(&text);
    /* An address with its first `bits` bits set, and the next one not, is in the prefix of just that length. */
    for (unsigned bits = 0; bits <= 32; bits++) {
        uint32_t host = bits ? UINT32_MAX << (32 - bits) : 0;
        snprintf(address, sizeof address, "%u.%u.%u.%u", host >> 24, host >> 16 & 255, host >> 8 & 255,
                 host & 255);
        snprintf(name, sizeof name, "v4.%u", bits);
        DIALS(address, 1, NULL, name);
    }
    DIALS("fd00::1", 1, NULL, "v6.16");
    DIALS("fd00:fd00:fd00:fd00:1::", 1, NULL, "v6.64");
    DIALS("fd00:fd00:fd00:fd00:fd00:fd00:fd00:1", 1, NULL, "v6.112");
    DIALS("fe80::1", 1, NULL, "-");
    snapshot_unref(snapshot);
}

static void addresses_that_are_none(void)
{
    struct snapshot *snapshot = mesh_good(NAMED "[service all]\nhost = 0.0.0.0/0, ::/0, x\n");
    struct sockaddr_storage storage = { .ss_family = AF_UNIX };
    const struct sockaddr *address = (const struct sockaddr *)&storage;

    CU_ASSERT_PTR_NULL(snapshot_match(snapshot, address, sizeof storage, "x"));
    storage.ss_family = AF_UNSPEC;
    CU_ASSERT_PTR_NULL(snapshot_match(snapshot, address, sizeof storage, NULL));
    CU_ASSERT_PTR_NULL(snapshot_match(snapshot, address, 0, NULL));
    CU_ASSERT_PTR_NULL(snapshot_match(snapshot, NULL, 0, NULL));
    storage.ss_family = AF_INET;
    CU_ASSERT_PTR_NULL(snapshot_match(snapshot, address, sizeof(struct sockaddr_in) - 1, NULL));
    CU_ASSERT_PTR_NOT_NULL(snapshot_match(snapshot, address, sizeof(struct sockaddr_in), NULL));
    storage.ss_family = AF_INET6;
    CU_ASSERT_PTR_NULL(snapshot_match(snapshot, address, sizeof(struct sockaddr_in), NULL));
    CU_ASSERT_PTR_NOT_NULL(snapshot_match(snapshot, address, sizeof(struct sockaddr_in6), NULL));
    snapshot_unref(snapshot);
}

static void names_for_any_port(void)
{
    struct snapshot *snapshot =
        mesh_good(NAMED "[service a80]\nhost = a, c\nport = 80\n"
                        "[service a]\nhost = a\n[service b81]\nhost = b\nport = 81\n");
    char longest[400];

    CU_ASSERT_STRING_EQUAL(snapshot_match_name(snapshot, "A.")->name, "a");
    CU_ASSERT_STRING_EQUAL(snapshot_match_name(snapshot, "b")->name, "b81");
    CU_ASSERT_STRING_EQUAL(snapshot_match_name(snapshot, "c")->name, "a80");
    CU_ASSERT_PTR_NULL(snapshot_match_name(snapshot, "d"));
    CU_ASSERT_PTR_NULL(snapshot_match_name(snapshot, "."));
    CU_ASSERT_PTR_NULL(snapshot_match_name(snapshot, ""));
    CU_ASSERT_PTR_NULL(snapshot_match_name(snapshot, NULL));
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    CU_ASSERT_PTR_NULL(snapshot_match_name(snapshot, longest));
    DIALS("10.0.0.1", 80, longest, "-");
    snapshot_unref(snapshot);
}

/* A thousand services, ten thousand endpoints: each finds its own, and nobody else's. */
static void a_thousand_services(void)
{
    struct buf text = BUF_INIT;
    struct snapshot *snapshot;
    char address[64], name[32], host[64];

    buf_puts(&text, NAMED);
    for (unsigned i = 0; i < 1000; i++) {
        buf_printf(&text,
                   "[service s%u]\nhost = s%u.default.svc,\n  10.%u.%u.7\n  10.%u.%u.128/25\nport = "
                   "80\nendpoints =\n",
                   i, i, i / 250, i % 250, i / 250, i % 250);
        for (unsigned j = 0; j < 10; j++)
            buf_printf(&text, "  172.16.%u.%u:%u,\n", i / 4 % 256, i % 4 * 10 + j, 8000 + j);
    }
    snapshot = mesh_good(text.data);
    buf_free(&text);
    CU_ASSERT_EQUAL(snapshot_service_count(snapshot), 1000);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "s%u", i);
        snprintf(host, sizeof host, "S%u.default.svc.", i);
        CU_ASSERT_STRING_EQUAL(snapshot_service(snapshot, i)->name, name);
        CU_ASSERT_EQUAL(snapshot_service(snapshot, i)->endpoint_count, 10);
        DIALS("192.0.2.1", 80, host, name);
        snprintf(address, sizeof address, "10.%u.%u.7", i / 250, i % 250);
        DIALS(address, 80, NULL, name);
        DIALS(address, 81, NULL, "-");
        snprintf(address, sizeof address, "10.%u.%u.%u", i / 250, i % 250, 128 + i % 128);
        DIALS(address, 80, NULL, name);
        snprintf(address, sizeof address, "10.%u.%u.8", i / 250, i % 250);
        DIALS(address, 80, NULL, "-");
    }
    snapshot_unref(snapshot);
}

static void references(void)
{
    struct snapshot *snapshot = mesh_good(NAMED "[service a]\nhost = a\n");
    CU_ASSERT_PTR_EQUAL(snapshot_ref(snapshot), snapshot);
    snapshot_unref(snapshot);
    CU_ASSERT_STRING_EQUAL(snapshot_service(snapshot, 0)->name, "a");
    snapshot_unref(snapshot);
    snapshot_unref(NULL);
}

/* --- identities --- */

static bool lets_in(const char *patterns, const char *identity)
{
    struct snapshot *snapshot;
    char text[512];
    bool answer;

    snprintf(text, sizeof text, "[workload]\nname = web\ntrust_domain = mesh.local\n[inbound]\n%s%s\n",
             *patterns ? "allow = " : "", patterns);
    snapshot = mesh_good(text);
    answer = identity_list_matches(&snapshot_inbound(snapshot, 0)->allow, "mesh.local", identity);
    snapshot_unref(snapshot);
    return answer;
}

static void identities_on_lists(void)
{
    CU_ASSERT_TRUE(lets_in("default/web", "spiffe://mesh.local/ns/default/sa/web"));
    CU_ASSERT_TRUE(lets_in("x/y, default/*", "spiffe://mesh.local/ns/default/sa/web"));
    CU_ASSERT_TRUE(lets_in("*/web", "spiffe://mesh.local/ns/default/sa/web"));
    CU_ASSERT_TRUE(lets_in("*/*", "spiffe://mesh.local/ns/default/sa/web"));
    CU_ASSERT_TRUE(lets_in("spiffe://other.org/agent", "spiffe://other.org/agent"));
    CU_ASSERT_FALSE(lets_in("default/web", "spiffe://mesh.local/ns/default/sa/web2"));
    CU_ASSERT_FALSE(lets_in("default/web", "spiffe://mesh.local/ns/default2/sa/web"));
    CU_ASSERT_FALSE(lets_in("default/web", "spiffe://mesh.local/ns/default/sa/we"));
    CU_ASSERT_FALSE(lets_in("default/web", "spiffe://other.org/ns/default/sa/web"));
    CU_ASSERT_FALSE(lets_in("default/web", "spiffe://mesh.local.evil/ns/default/sa/web"));
    CU_ASSERT_FALSE(lets_in("default/web", "SPIFFE://mesh.local/ns/default/sa/web"));
    CU_ASSERT_FALSE(lets_in("default/web", "spiffe://mesh.local/ns/default/sa/web/more"));
    CU_ASSERT_FALSE(lets_in("*/*", "spiffe://mesh.local/ns/a/b/sa/web"));
    CU_ASSERT_FALSE(lets_in("*/*", "spiffe://mesh.local/ns//sa/web"));
    CU_ASSERT_FALSE(lets_in("*/*", "spiffe://mesh.local/ns/default/sa/"));
    CU_ASSERT_FALSE(lets_in("*/*", "spiffe://mesh.local/ns/default"));
    CU_ASSERT_FALSE(lets_in("*/*", "spiffe://mesh.local/agent"));
    CU_ASSERT_FALSE(lets_in("*/*", "spiffe://other.org/ns/default/sa/web"));
    CU_ASSERT_FALSE(lets_in("spiffe://other.org/agent", "spiffe://other.org/agent/x"));
    CU_ASSERT_FALSE(lets_in("default/web", ""));
}

static void an_empty_list_is_the_trust_domain(void)
{
    CU_ASSERT_TRUE(lets_in("", "spiffe://mesh.local/ns/default/sa/web"));
    CU_ASSERT_TRUE(lets_in("", "spiffe://mesh.local/agent"));
    CU_ASSERT_FALSE(lets_in("", "spiffe://mesh.local"));
    CU_ASSERT_FALSE(lets_in("", "spiffe://mesh.local/"));
    CU_ASSERT_FALSE(lets_in("", "spiffe://mesh.localhost/ns/default/sa/web"));
    CU_ASSERT_FALSE(lets_in("", "spiffe://other.org/ns/default/sa/web"));
    CU_ASSERT_FALSE(lets_in("", "https://mesh.local/ns/default/sa/web"));
    CU_ASSERT_FALSE(lets_in("", ""));
}

static CU_TestInfo tests[] = {
    { "the most specific wins", the_most_specific_wins },
    { "names before addresses", names_before_addresses },
    { "mapped addresses are IPv4", mapped_addresses_are_ipv4 },
    { "every prefix length", every_prefix_length },
    { "addresses that are none", addresses_that_are_none },
    { "names for any port", names_for_any_port },
    { "a thousand services", a_thousand_services },
    { "references", references },
    { "identities on lists", identities_on_lists },
    { "an empty list is the trust domain", an_empty_list_is_the_trust_domain },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("snapshot", tests);
}
