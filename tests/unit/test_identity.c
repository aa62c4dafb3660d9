/* Our own certificate, key and bundle: what is accepted, and what is said of their faults. */
#include "check.h"
#include "meeting.h"

static void expect_fault(struct workload *workload, const char *reason)
{
    struct buf why = BUF_INIT, findings = BUF_INIT;
    struct identity *identity = identity_new(workload, &why);

    CU_ASSERT_PTR_NULL(identity);
    expect_text(buf_text(&why), reason);
    CU_ASSERT_PTR_NULL(strchr(buf_text(&why), '\n'));
    CU_ASSERT_TRUE(identity_examine(workload, &findings) > 0);
    expect_text(buf_text(&findings), reason);
    buf_free(&why);
    buf_free(&findings);
    identity_unref(identity);
    cert_workload_free(workload);
}

static void own_leaf(const struct cert_spec *spec, const char *reason)
{
    struct cert cert = cert_make(spec);
    expect_fault(workload_of("web", &cert, &root), reason);
    cert_free(&cert);
}

static void own_certificate_faults(void)
{
    own_leaf(
        &(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .from = -7200, .until = -60 },
        "/etc/test/cert.pem: the certificate expired on 20");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .from = 600 },
             "/etc/test/cert.pem: the certificate is not valid before 20");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("other"), .issuer = &root },
             "is for spiffe://mesh.local/ns/default/sa/other, but [workload] says "
             "spiffe://mesh.local/ns/default/sa/web");
    own_leaf(&(struct cert_spec){ .name = "w", .issuer = &root }, "carries no SPIFFE ID");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &other_root },
             "does not lead to a root in /etc/test/ca.pem");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &intermediate },
             "(issuer 'CN=intermediate')");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .ca = true }, "is a CA's");
    own_leaf(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .rsa_bits = 1024 },
             "EE certificate key too weak");
}

static struct workload *web_workload(struct cert *cert)
{
    *cert = cert_make(&(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .usage = BOTH });
    return workload_of("web", cert, &root);
}

static void set_text(struct pem_file *file, char *text)
{
    free(file->text);
    file->text = text;
    file->length = text ? strlen(text) : 0;
}

static void own_file_faults(void)
{
    struct cert cert, stranger = cert_make(&(struct cert_spec){ .name = "s" });
    struct workload *w;

    w = web_workload(&cert);
    set_text(&w->private_key, cert_key_pem(&stranger, KEY_PKCS8));
    expect_fault(
        w, "/etc/test/key.pem: the private key does not belong to the certificate in /etc/test/cert.pem");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->private_key, cert_key_pem(&cert, KEY_ENCRYPTED));
    expect_fault(w, "/etc/test/key.pem: the private key is encrypted");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->private_key, strdup("nothing"));
    expect_fault(w, "/etc/test/key.pem: holds no private key");
    cert_free(&cert);
    w = web_workload(&cert);
    w->private_key.text[40] = '!';
    expect_fault(w, "/etc/test/key.pem: holds a private key that is damaged");
    cert_free(&cert);
    w = web_workload(&cert);
    w->certificate.text[40] = '!';
    expect_fault(w, "/etc/test/cert.pem: certificate number 1 is damaged");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->trust_bundle, strdup(""));
    expect_fault(w, "/etc/test/ca.pem: holds no certificate");
    cert_free(&cert);
    cert_free(&stranger);
}

static void own_files_missing(void)
{
    struct cert cert;
    struct workload *w = web_workload(&cert);

    set_text(&w->certificate, NULL);
    w->certificate.error = ENOENT;
    expect_fault(w, "/etc/test/cert.pem: cannot be read: No such file or directory ([workload] certificate)");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->private_key, NULL);
    w->private_key.error = EACCES;
    expect_fault(w, "/etc/test/key.pem: cannot be read: Permission denied");
    cert_free(&cert);
    w = web_workload(&cert);
    set_text(&w->trust_bundle, NULL);
    free(w->trust_bundle.path);
    w->trust_bundle.path = NULL;
    expect_fault(w, "[workload] trust_bundle is not set");
    cert_free(&cert);
}

static void examine_lists_all(void)
{
    struct workload *w =
        cert_workload("web", NULL, strdup("x"), strdup("-----BEGIN CERTIFICATE-----\nrubbish\n"));
    struct buf findings = BUF_INIT;

    CU_ASSERT_EQUAL(identity_examine(w, &findings), 3);
    expect_text(buf_text(&findings), "cert.pem: was not read");
    expect_text(buf_text(&findings), "key.pem: holds no private key");
    expect_text(buf_text(&findings), "ca.pem: certificate number 1 is damaged");
    buf_free(&findings);
    cert_workload_free(w);
}

static void examine_warns(void)
{
    struct cert cert = cert_make(&(struct cert_spec){ .name = "w",
                                                      .alt = ID("web"),
                                                      .issuer = &root,
                                                      .from = -8000,
                                                      .until = 3600,
                                                      .usage = "serverAuth" });
    const struct cert *bundle[] = { &root, &cert };
    struct workload *w = cert_workload("web", cert_chain_pem((const struct cert *const[]){ &cert }, 1),
                                       cert_key_pem(&cert, KEY_PKCS8), cert_chain_pem(bundle, 2));
    struct buf findings = BUF_INIT;

    CU_ASSERT_EQUAL(identity_examine(w, &findings), 0);
    expect_text(buf_text(&findings), "less than a third of its lifetime is left");
    expect_text(buf_text(&findings), "not meant for clients");
    expect_text(buf_text(&findings), "certificate 'CN=w' is not a CA's and is ignored");
    buf_free(&findings);
    cert_workload_free(w);
    cert_free(&cert);
}

/* PEM texts as tools and people write them. */
static char *dressed(char *pem, const char *before, bool crlf)
{
    char *out = malloc(2 * strlen(pem) + strlen(before) + 16), *to = out;

    to += snprintf(out, strlen(before) + 1, "%s", before);
    for (const char *p = pem; *p; p++) {
        if (*p == '\n' && crlf)
            *to++ = '\r';
        *to++ = *p;
    }
    *to = '\0';
    free(pem);
    return out;
}

static void check_accepted(struct workload *workload)
{
    struct buf why = BUF_INIT;
    struct identity *identity = identity_new(workload, &why);

    CU_ASSERT_PTR_NOT_NULL(identity);
    CU_ASSERT_STRING_EQUAL(buf_text(&why), "");
    if (identity) {
        struct peer_check client = check_of(true, NULL), server = check_of(false, NULL);
        struct outcome o =
            handshake(identity_client_context(honest), identity_server_context(identity), &client, &server);
        CU_ASSERT_TRUE(o.client && o.server);
        CU_ASSERT_STRING_EQUAL(identity_spiffe_id(identity), workload->spiffe_id);
        CU_ASSERT_TRUE(identity_not_after(identity) > time(NULL));
    }
    buf_free(&why);
    identity_unref(identity);
    cert_workload_free(workload);
}

static void forms_of_files(void)
{
    static const unsigned rsa[] = { 0, 2048 };

    for (int i = 0; i < 2; i++) {
        for (int form = KEY_PKCS8; form <= KEY_TRADITIONAL; form++) {
            struct cert cert = cert_make(
                &(struct cert_spec){ .name = "w", .alt = ID("web"), .issuer = &root, .rsa_bits = rsa[i] });
            const struct cert *leaf[] = { &cert }, *roots[] = { &other_root, &root };
            check_accepted(cert_workload(
                "web",
                dressed(cert_chain_pem(leaf, 1), "\xef\xbb\xbf# made by hand\r\nsubject=/CN=w\r\n", true),
                dressed(cert_key_pem(&cert, form),
                        "Key:\n-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                        "-----END EC PARAMETERS-----\n",
                        form == KEY_PKCS8),
                dressed(cert_chain_pem(roots, 2), "# roots\n\n", true)));
            cert_free(&cert);
        }
    }
}

/* The whole PEM of step's "bundle" order: leaf, intermediate, and the root as well; the key in the same file.
 */
static void chain_with_root_and_key(void)
{
    struct cert leaf =
        cert_make(&(struct cert_spec){ .name = "l", .alt = ID("web"), .issuer = &intermediate });
    const struct cert *chain[] = { &leaf, &intermediate, &root }, *bundle[] = { &root };
    char *certs = cert_chain_pem(chain, 3), *key = cert_key_pem(&leaf, KEY_PKCS8), *all, *turned;

    CU_ASSERT_TRUE_FATAL(asprintf(&all, "%s%s", key, certs) > 0);
    CU_ASSERT_TRUE_FATAL(asprintf(&turned, "%s%s", certs, key) > 0);
    free(certs);
    free(key);
    check_accepted(cert_workload("web", all, turned, cert_chain_pem(bundle, 1)));
    cert_free(&leaf);
}

/* An intermediate alone in the bundle anchors what it issued. */
static void intermediate_as_anchor(void)
{
    struct cert leaf =
        cert_make(&(struct cert_spec){ .name = "l", .alt = ID("web"), .issuer = &intermediate });
    struct identity *identity = identity_of("web", &leaf, &intermediate);
    struct peer_check client = check_of(true, NULL), server = check_of(false, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(identity);
    struct outcome o =
        handshake(identity_client_context(identity), identity_server_context(identity), &client, &server);
    CU_ASSERT_TRUE(o.client && o.server);
    o = handshake(identity_client_context(identity), identity_server_context(honest), &client, &server);
    CU_ASSERT_FALSE(o.client);
    CU_ASSERT_EQUAL(client.failure, FAILURE_CERTIFICATE);
    identity_unref(identity_ref(identity));
    identity_unref(identity);
    cert_free(&leaf);
}

static CU_TestInfo tests[] = {
    { "our certificate's faults", own_certificate_faults },
    { "our files' faults", own_file_faults },
    { "our files missing", own_files_missing },
    { "all findings", examine_lists_all },
    { "warnings", examine_warns },
    { "forms of files", forms_of_files },
    { "chain with root and key in one file", chain_with_root_and_key },
    { "an intermediate as anchor", intermediate_as_anchor },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_suite("identity", make_authorities, free_authorities, tests) ? 1 : 0;
}
