/* Who is believed: certificates of every kind through real handshakes. */
#include "check.h"
#include "meeting.h"

static char *web_patterns[] = { (char[]){ "default/web" }, NULL };
static char *both_patterns[] = { (char[]){ "ops/*" }, (char[]){ "default/payments" } };
static const struct identity_list only_web = { web_patterns, 1 }, ops_or_payments = { both_patterns, 2 };

static void both_ours(void)
{
    struct peer_check client = check_of(true, &only_web), server = check_of(false, NULL);

    for (int i = 0; i < 3; i++) { /* the second time the chain is remembered */
        struct outcome o =
            handshake(identity_client_context(honest), identity_server_context(honest), &client, &server);
        CU_ASSERT_TRUE(o.client && o.server && o.alpn);
        CU_ASSERT_TRUE(client.accepted && server.accepted);
        CU_ASSERT_STRING_EQUAL(client.peer_id, "spiffe://mesh.local/ns/default/sa/web");
        CU_ASSERT_STRING_EQUAL(server.peer_id, "spiffe://mesh.local/ns/default/sa/web");
        CU_ASSERT_EQUAL(o.chain_length, 1);
    }
}

static void good_peers(void)
{
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &root }, FAILURE_COUNT, 0, NULL);
    meet_leaf(
        &(struct cert_spec){ .name = "b", .alt = ID("b") ",DNS:b.local", .issuer = &root, .usage = BOTH },
        FAILURE_COUNT, 0, NULL);
    meet_leaf(&(struct cert_spec){ .name = "r", .alt = ID("r"), .issuer = &root, .rsa_bits = 2048 },
              FAILURE_COUNT, 0, NULL);
}

static void dates(void)
{
    meet_leaf(
        &(struct cert_spec){ .name = "a", .alt = ID("old"), .issuer = &root, .from = -7200, .until = -3600 },
        FAILURE_CERTIFICATE, SSL_AD_CERTIFICATE_EXPIRED,
        "the peer's certificate (spiffe://mesh.local/ns/default/sa/old) expired on 20");
    meet_leaf(
        &(struct cert_spec){ .name = "a", .alt = ID("new"), .issuer = &root, .from = 3600, .until = 7200 },
        FAILURE_CERTIFICATE, SSL_AD_BAD_CERTIFICATE, "sa/new) is not yet valid: it begins at 20");
}

static void issuers(void)
{
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &other_root }, FAILURE_CERTIFICATE,
              SSL_AD_UNKNOWN_CA, "was issued by 'CN=other root', which is not in /etc/test/ca.pem");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a") }, FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA,
              "is self-signed");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &same_name_root },
              FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA, "'CN=root'");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &same_name_root, .by_name = true },
              FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA, "was signed by another 'CN=root' than the one in");
}

/* A root that is sent along proves nothing. */
static void foreign_root_sent_along(void)
{
    struct cert leaf = cert_make(&(struct cert_spec){ .name = "a", .alt = ID("a"), .issuer = &other_root });
    const struct cert *certs[] = { &leaf, &other_root };

    meet(certs, 2, NULL, FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA, "'CN=other root', which is not in");
    cert_free(&leaf);
}

static void names(void)
{
    meet_leaf(&(struct cert_spec){ .name = "a", .issuer = &root }, FAILURE_IDENTITY,
              SSL_AD_CERTIFICATE_UNKNOWN, "the peer's certificate carries no SPIFFE ID");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = "DNS:a.mesh.local", .issuer = &root },
              FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "carries no SPIFFE ID");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a") "," ID("b"), .issuer = &root },
              FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "more than one URI");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = ID("a") ",URI:https://x/", .issuer = &root },
              FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "more than one URI");
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = "URI:https://mesh.local/ns/a/sa/b", .issuer = &root },
              FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "is no SPIFFE ID");
    meet_leaf(
        &(struct cert_spec){ .name = "a", .alt = "URI:spiffe://evil.org/ns/default/sa/web", .issuer = &root },
        FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN,
        "presented spiffe://evil.org/ns/default/sa/web, expected any identity of trust domain mesh.local");
    meet_leaf(
        &(struct cert_spec){ .name = "a", .alt = "URI:spiffe://mesh.local.evil/ns/d/sa/a", .issuer = &root },
        FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "presented spiffe://mesh.local.evil/");
}

static void long_name(void)
{
    char alt[512] = ID("a");
    size_t n = strlen(alt);

    memset(alt + n, 'a', 300 - n);
    meet_leaf(&(struct cert_spec){ .name = "a", .alt = alt, .issuer = &root }, FAILURE_IDENTITY,
              SSL_AD_CERTIFICATE_UNKNOWN, "more than 255 characters");
}

/* The trust domain is looked at even where a list names the foreign identity whole. */
static void wanted_list(void)
{
    struct cert evil = cert_make(&(struct cert_spec){
        .name = "a", .alt = "URI:spiffe://evil.org/ns/default/sa/web", .issuer = &root });
    struct cert web = cert_make(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root });
    struct cert ops = cert_make(
        &(struct cert_spec){ .name = "o", .alt = "URI:spiffe://mesh.local/ns/ops/sa/x", .issuer = &root });
    const struct cert *one[] = { &web }, *two[] = { &ops }, *three[] = { &evil };
    char *whole[] = { (char[]){ "spiffe://evil.org/ns/default/sa/web" } };
    struct identity_list by_id = { whole, 1 };

    meet(one, 1, &only_web, FAILURE_COUNT, 0, NULL);
    meet(two, 1, &ops_or_payments, FAILURE_COUNT, 0, NULL);
    meet(one, 1, &ops_or_payments, FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN,
         "the peer presented spiffe://mesh.local/ns/default/sa/web, expected ops/*, default/payments");
    meet(two, 1, &only_web, FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "expected default/web");
    meet(three, 1, &by_id, FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "presented spiffe://evil.org");
    cert_free(&evil);
    cert_free(&web);
    cert_free(&ops);
}

/* Refused once is not remembered as accepted, accepted once is judged by the list each time. */
static void memory_of_chains_is_not_of_identities(void)
{
    struct cert web = cert_make(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root });
    const struct cert *certs[] = { &web };

    meet(certs, 1, &only_web, FAILURE_COUNT, 0, NULL);
    meet(certs, 1, &ops_or_payments, FAILURE_IDENTITY, SSL_AD_CERTIFICATE_UNKNOWN, "expected ops/*");
    meet(certs, 1, &only_web, FAILURE_COUNT, 0, NULL);
    cert_free(&web);
}

static void authorities_are_no_workloads(void)
{
    meet_leaf(&(struct cert_spec){ .name = "ca", .alt = ID("a"), .issuer = &root, .ca = true },
              FAILURE_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE, "is a CA's");
}

/* A leaf may not issue: a chain through one is refused. */
static void leaf_as_issuer(void)
{
    struct cert middle = cert_make(&(struct cert_spec){ .name = "m", .alt = ID("m"), .issuer = &root });
    struct cert leaf = cert_make(&(struct cert_spec){ .name = "l", .alt = ID("web"), .issuer = &middle });
    const struct cert *certs[] = { &leaf, &middle };

    meet(certs, 2, NULL, FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA, "the peer's CA certificate 'CN=m'");
    cert_free(&leaf);
    cert_free(&middle);
}

static void purposes(void)
{
    struct cert server =
        cert_make(&(struct cert_spec){ .name = "s", .alt = ID("s"), .issuer = &root, .usage = "serverAuth" });
    const struct cert *certs[] = { &server };
    SSL_CTX *peer = foreign(certs, 1);
    struct peer_check check = check_of(true, NULL);

    CU_ASSERT_TRUE(handshake(identity_client_context(honest), peer, &check, NULL).client);
    check = check_of(false, NULL); /* the same certificate, just verified, is none for a client */
    struct outcome o = handshake(peer, identity_server_context(honest), NULL, &check);
    CU_ASSERT_FALSE(o.server);
    CU_ASSERT_EQUAL(o.client_alert, SSL_AD_UNSUPPORTED_CERTIFICATE);
    expect_text(check.reason, "is not meant for clients");
    SSL_CTX_free(peer);
    cert_free(&server);
}

static void intermediates(void)
{
    struct cert leaf =
        cert_make(&(struct cert_spec){ .name = "l", .alt = ID("deep"), .issuer = &intermediate });
    const struct cert *whole[] = { &leaf, &intermediate }, *bundle[] = { &root };
    struct workload *workload = cert_workload("deep", cert_chain_pem(whole, 2),
                                              cert_key_pem(&leaf, KEY_PKCS8), cert_chain_pem(bundle, 1));
    struct peer_check client = check_of(true, NULL), server = check_of(false, NULL);
    struct buf why = BUF_INIT;
    struct identity *deep = identity_new(workload, &why);

    CU_ASSERT_PTR_NOT_NULL_FATAL(deep);
    struct outcome o =
        handshake(identity_client_context(deep), identity_server_context(honest), &client, &server);
    CU_ASSERT_TRUE(o.client && o.server);
    CU_ASSERT_EQUAL(o.chain_length, 2);
    CU_ASSERT_STRING_EQUAL(server.peer_id, "spiffe://mesh.local/ns/default/sa/deep");
    meet(whole, 2, NULL, FAILURE_COUNT, 0, NULL);
    meet(whole, 1, NULL, FAILURE_CERTIFICATE, SSL_AD_UNKNOWN_CA,
         "issued by 'CN=intermediate', which is not in");
    identity_unref(deep);
    cert_workload_free(workload);
    cert_free(&leaf);
}

static void no_certificate(void)
{
    SSL_CTX *naked = foreign(NULL, 0);
    struct peer_check check = check_of(false, NULL);
    struct outcome o = handshake(naked, identity_server_context(honest), NULL, &check);

    CU_ASSERT_FALSE(o.server || check.accepted);
    CU_ASSERT_EQUAL(o.client_alert, 116); /* certificate_required */
    expect_text(o.server_error, "peer did not return a certificate");
    SSL_CTX_free(naked);
}

static void nobody_attached_is_refused(void)
{
    struct peer_check check = check_of(false, NULL);
    struct outcome o =
        handshake(identity_client_context(honest), identity_server_context(honest), NULL, &check);
    CU_ASSERT_FALSE(o.client || o.server);
}

static void older_protocols(void)
{
    const struct cert *certs[] = { &root };
    SSL_CTX *old = foreign(certs, 1);
    struct peer_check check = check_of(true, NULL);

    SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
    CU_ASSERT_FALSE(handshake(identity_client_context(honest), old, &check, NULL).client);
    check = check_of(false, NULL);
    struct outcome o = handshake(old, identity_server_context(honest), NULL, &check);
    CU_ASSERT_FALSE(o.server);
    CU_ASSERT_EQUAL(o.client_alert, SSL_AD_PROTOCOL_VERSION);
    SSL_CTX_free(old);
}

/* A foreign client with an ALPN of its own is served, without ALPN. */
static void foreign_alpn(void)
{
    struct cert leaf = cert_make(&(struct cert_spec){ .name = "c", .alt = ID("c"), .issuer = &root });
    const struct cert *certs[] = { &leaf };
    SSL_CTX *peer = foreign(certs, 1);
    struct peer_check check = check_of(false, NULL);

    SSL_CTX_set_alpn_protos(peer, (const unsigned char *)"\x02h2", 3);
    struct outcome o = handshake(peer, identity_server_context(honest), NULL, &check);
    CU_ASSERT_TRUE(o.client && o.server && !o.alpn);
    SSL_CTX_free(peer);
    cert_free(&leaf);
}

static CU_TestInfo tests[] = {
    { "two of ours, and the memory of chains", both_ours },
    { "good peers", good_peers },
    { "expired, not yet valid", dates },
    { "other CA, self-signed, CA of the same name", issuers },
    { "a foreign root sent along", foreign_root_sent_along },
    { "no name, two, another trust domain", names },
    { "a name too long", long_name },
    { "whom we wanted", wanted_list },
    { "the memory of chains is not one of identities", memory_of_chains_is_not_of_identities },
    { "a CA's certificate as a workload's", authorities_are_no_workloads },
    { "a leaf as issuer", leaf_as_issuer },
    { "extended key usage", purposes },
    { "intermediate certificates", intermediates },
    { "no certificate", no_certificate },
    { "nobody said whom to expect", nobody_attached_is_refused },
    { "older protocols", older_protocols },
    { "a foreign client's ALPN", foreign_alpn },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_suite("peer", make_authorities, free_authorities, tests) ? 1 : 0;
}
