// links: tests/unit/certs.c
/*
 * Any bytes as a workload's files: the first byte says which of them (certificate, key, bundle), and whether as PEM text or as the
 * DER of one certificate. Either an identity comes of it, or a sentence. And any bytes as a name: what is well formed has no tricks in it.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "../unit/certs.h"
#include "input.h"
#include "tls/certificate.h"
#include "tls/identity.h"
#include "tls/pem_reader.h"
#include "tls/spiffe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct workload *workload;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct cert root, leaf; /* kept */
    const struct cert *chain = &leaf, *bundle = &root;

    (void)argc;
    (void)argv;
    root = cert_make(&(struct cert_spec){ .name = "root", .ca = true });
    leaf = cert_make(&(struct cert_spec){
        .name = "web", .alt = "URI:spiffe://mesh.local/ns/default/sa/web", .issuer = &root });
    workload = cert_workload("web", cert_chain_pem(&chain, 1), cert_key_pem(&leaf, KEY_PKCS8),
                             cert_chain_pem(&bundle, 1));
    return 0;
}

static void as_file(struct pem_file *file, const uint8_t *data, size_t size)
{
    struct pem_file honest = *file;
    struct buf why = BUF_INIT, said = BUF_INIT;
    struct identity *identity;
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    file->text = text;
    file->length = size;
    identity = identity_new(workload, &why);
    must((identity != NULL) == (why.length == 0));
    if (identity) {
        must(strcmp(identity_spiffe_id(identity), workload->spiffe_id) == 0);
        must(identity_examine(workload, &said) == 0);
        identity_unref(identity);
    } else {
        must(!strchr(buf_text(&why), '\n'));
    }
    buf_free(&why);
    buf_free(&said);
    free(text);
    *file = honest;
}

static void as_certificate(const uint8_t *data, size_t size)
{
    char id[SPIFFE_ROOM], name[CERTIFICATE_NAME], date[CERTIFICATE_DATE];
    X509 *x = d2i_X509(NULL, &data, (long)size);
    if (x) {
        const char *complaint = certificate_spiffe_id(x, id);
        must((complaint == NULL) == spiffe_well_formed(id, strlen(id)));
        certificate_subject(x, name);
        certificate_issuer(x, name);
        certificate_date(certificate_not_after(x), date);
        certificate_signs(x);
    }
    X509_free(x);
    ERR_clear_error();
}

static void as_name(const uint8_t *data, size_t size)
{
    char *name = malloc(size + 1);
    memcpy(name, data, size);
    name[size] = '\0';
    if (spiffe_well_formed(name, size)) {
        must(strlen(name) == size && !strstr(name, "/../") && !strchr(name, '%') && !strstr(name + 9, "//") &&
             name[size - 1] != '/');
        must(!spiffe_in_domain(name, ""));
        must(spiffe_in_domain(name, "mesh.local") == (strncmp(name, "spiffe://mesh.local/", 20) == 0));
    }
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    switch (data[0] % 5) {
    case 0:
        as_file(&workload->certificate, data + 1, size - 1);
        break;
    case 1:
        as_file(&workload->private_key, data + 1, size - 1);
        break;
    case 2:
        as_file(&workload->trust_bundle, data + 1, size - 1);
        break;
    case 3:
        as_certificate(data + 1, size - 1);
        break;
    default:
        as_name(data + 1, size - 1);
        break;
    }
    return 0;
}
