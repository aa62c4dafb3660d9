/* Many ways in which a certificate is not a workload's of this trust domain, and a few in which it may look odd. */
#include <stdlib.h>
#include <string.h>

#include "bad.h"
#include "bad_identity.h"

#include "base/banned.h"

#define ROOTED    "critical,CA:TRUE"
#define US        "spiffe://mesh.local/ns/default/sa/client"
#define SIXTYFOUR "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { CHAIN = 100 };

/* The names alone are wrong. */
static const struct leaf wrong_names[] = {
    { .name = "two_uris", .names = "URI:" US ",URI:spiffe://mesh.local/ns/default/sa/server" },
    { .name = "empty_uri", .names = "URI:" },
    { .name = "uri_of_http", .names = "URI:http://mesh.local/ns/default/sa/client" },
    { .name = "uri_with_port", .names = "URI:spiffe://mesh.local:443/ns/default/sa/client" },
    { .name = "uri_without_path", .names = "URI:spiffe://mesh.local" },
    { .name = "uri_dots", .names = "URI:spiffe://mesh.local/ns/default/sa/x/../client" },
    { .name = "uri_escaped", .names = "URI:spiffe://mesh.local/ns/default/sa/clien%74" },
    { .name = "uri_upper_case", .names = "URI:spiffe://MESH.local/ns/default/sa/client" },
    { .name = "uri_upper_scheme", .names = "URI:SPIFFE://mesh.local/ns/default/sa/client" },
    { .name = "uri_query", .names = "URI:" US "?as=server" },
    { .name = "uri_slash", .names = "URI:" US "/" },
    { .name = "uri_nul", .names = "URI:" US "@.evil.example" },
    { .name = "uri_long", .names = "URI:" US "/" SIXTYFOUR SIXTYFOUR SIXTYFOUR SIXTYFOUR },
    { .name = "uri_and_dns", .names = "URI:" US ",DNS:localhost,IP:127.0.0.1" },
};

static int make_wrong_names(const char *directory, const struct authority *ours)
{
    int result = 0;
    for (size_t i = 0; !result && i < sizeof wrong_names / sizeof wrong_names[0]; i++) {
        struct leaf leaf = wrong_names[i];
        leaf.from = -HOUR;
        leaf.to = DAY;
        leaf.issuer = ours;
        result = make_leaf(directory, &leaf);
    }
    return result;
}

/* What else it says about itself. */
static int make_wrong_uses(const char *directory, const struct authority *ours)
{
    const struct leaf leaves[] = {
        { .name = "ca_leaf", .basic = ROOTED },
        { .name = "crl_leaf", .usage = "critical,digitalSignature,cRLSign" },
        { .name = "no_purpose_of_tls", .purpose = "codeSigning" },
        { .name = "for_servers_only", .purpose = "serverAuth" },
        { .name = "for_clients_only", .purpose = "clientAuth" },
        { .name = "unknown_critical", .unknown = "1.3.6.1.4.1.99999.1" },
        { .name = "sha1_signed", .digest = EVP_sha1 },
        { .name = "weak_key", .key = "RSA1024" },
        { .name = "rsa_key", .key = "RSA2048" },
        { .name = "p384_key", .key = "P-384" },
        { .name = "no_basics", .basic = "", .usage = "", .purpose = "" },
    };
    int result = 0;
    for (size_t i = 0; !result && i < sizeof leaves / sizeof leaves[0]; i++) {
        struct leaf leaf = leaves[i];
        leaf.names = "URI:" US;
        leaf.from = -HOUR;
        leaf.to = DAY;
        leaf.issuer = ours;
        result = make_leaf(directory, &leaf);
    }
    return result;
}

static int below(const char *directory, const char *name, const struct authority *issuer)
{
    struct leaf leaf = { .name = name, .names = "URI:" US, .from = -HOUR, .to = DAY, .issuer = issuer };
    return make_leaf(directory, &leaf);
}

/* The fault is in what stands between the leaf and the root. */
static int make_wrong_chains(const char *directory, const struct authority *ours)
{
    const struct {
        const char *name, *basic, *permitted;
        long to;
    } middles[] = {
        { "intermediate", ROOTED, "", DAY },
        { "expired_above", ROOTED, "", -DAY },
        { "not_a_ca_above", "critical,CA:FALSE", "", DAY },
        { "constrained", ROOTED, "critical,permitted;URI:.other.example", DAY },
    };
    struct authority foreign = authority_new("another root", NULL, ROOTED, "", DAY, NULL), last, above;
    int result = 0;
    for (size_t i = 0; !result && i < sizeof middles / sizeof middles[0]; i++) {
        last = authority_new("in between", ours, middles[i].basic, middles[i].permitted, middles[i].to, NULL);
        result = below(directory, middles[i].name, &last);
        authority_free(&last);
    }
    last = authority_new("of another root", &foreign, ROOTED, "", DAY, NULL);
    result = result || below(directory, "foreign_above", &last);
    authority_free(&last);
    above = authority_new("signs leaves alone", ours, "critical,CA:TRUE,pathlen:0", "", DAY, NULL);
    last = authority_new("one too deep", &above, ROOTED, "", DAY, NULL);
    result = result || below(directory, "path_too_long", &last);
    authority_free(&last);
    authority_free(&above);
    authority_free(&foreign);
    return result;
}

static int make_long_chain(const char *directory, const struct authority *ours)
{
    static struct authority chain[CHAIN];
    char name[32];
    int result;
    for (int i = 0; i < CHAIN; i++) {
        snprintf(name, sizeof name, "link %d", i);
        chain[i] = authority_new(name, i ? &chain[i - 1] : ours, ROOTED, "", DAY, i ? chain[0].key : NULL);
    }
    result = below(directory, "chain_of_100", &chain[CHAIN - 1]);
    for (int i = 0; i < CHAIN; i++)
        authority_free(&chain[i]);
    return result;
}

int make_more_identities(const char *directory)
{
    struct authority ours;
    int result = authority_load(&ours, directory, "ca") || make_wrong_names(directory, &ours) ||
                 make_wrong_uses(directory, &ours) || make_wrong_chains(directory, &ours) ||
                 make_long_chain(directory, &ours);
    if (result)
        fprintf(stderr, "badpeer: cannot write identities to %s\n", directory);
    authority_free(&ours);
    return result;
}
