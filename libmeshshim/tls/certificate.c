/* See certificate.h. */
#include "tls/certificate.h"

#include <time.h>

#include "base/banned.h"

static int64_t seconds_of(const ASN1_TIME *when)
{
    struct tm tm;
    return ASN1_TIME_to_tm(when, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int64_t certificate_not_before(const X509 *certificate)
{
    return seconds_of(X509_get0_notBefore(certificate));
}

int64_t certificate_not_after(const X509 *certificate)
{
    return seconds_of(X509_get0_notAfter(certificate));
}

void certificate_date(int64_t seconds, char text[CERTIFICATE_DATE])
{
    time_t when = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&when, &tm) || strftime(text, CERTIFICATE_DATE, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(text, CERTIFICATE_DATE, "an unknown date");
}

static void name_text(const X509_NAME *name, char text[CERTIFICATE_NAME])
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = -1;

    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) > 0)
        n = BIO_read(bio, text, CERTIFICATE_NAME - 1);
    if (n > 0)
        text[n] = '\0';
    else
        snprintf(text, CERTIFICATE_NAME, "(no name)");
    BIO_free(bio);
}

void certificate_subject(const X509 *certificate, char text[CERTIFICATE_NAME])
{
    name_text(X509_get_subject_name(certificate), text);
}

void certificate_issuer(const X509 *certificate, char text[CERTIFICATE_NAME])
{
    name_text(X509_get_issuer_name(certificate), text);
}

/* The only URI among the names; NULL and how many there are otherwise. */
static const ASN1_IA5STRING *only_uri(const GENERAL_NAMES *names, int *count)
{
    const ASN1_IA5STRING *uri = NULL;

    *count = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        uri = name->d.uniformResourceIdentifier;
        ++*count;
    }
    return *count == 1 ? uri : NULL;
}

static const char *judge_names(const GENERAL_NAMES *names, char id[SPIFFE_ROOM])
{
    int count, length;
    const ASN1_IA5STRING *uri = only_uri(names, &count);
    const char *text;

    if (count == 0)
        return "carries no SPIFFE ID (no URI among its subject alternative names)";
    if (!uri)
        return "carries more than one URI, where exactly one SPIFFE ID is expected";
    text = (const char *)ASN1_STRING_get0_data(uri);
    length = ASN1_STRING_length(uri);
    if (length <= 0 || !spiffe_well_formed(text, (size_t)length))
        return "carries a URI that is no SPIFFE ID (spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/NAME)";
    if (length >= SPIFFE_ROOM)
        return "carries a SPIFFE ID of more than 255 characters";
    memcpy(id, text, (size_t)length);
    id[length] = '\0';
    return NULL;
}

const char *certificate_spiffe_id(const X509 *certificate, char id[SPIFFE_ROOM])
{
    int state;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &state, NULL);
    const char *complaint;

    id[0] = '\0';
    if (!names && state != -1)
        return "carries subject alternative names that cannot be read";
    complaint = judge_names(names, id);
    GENERAL_NAMES_free(names);
    return complaint;
}

bool certificate_signs(X509 *certificate)
{
    uint32_t usage = X509_get_key_usage(certificate);

    return (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0 ||
           (usage != UINT32_MAX && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0);
}
