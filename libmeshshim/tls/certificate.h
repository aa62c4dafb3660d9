/* What one certificate says: dates, names, SPIFFE ID. */
#ifndef MESHSHIM_CERTIFICATE_H
#define MESHSHIM_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509v3.h>

#include "tls/spiffe.h"

/* OpenSSL's measure of keys and signatures: 112 bits, so RSA from 2048 on, and no SHA-1. Peers ask the same
 * of ours. */
#define CERTIFICATE_SECURITY_LEVEL 2
#define CERTIFICATE_DATE           32  /* room for a date in words */
#define CERTIFICATE_NAME           160 /* room for a name; a longer one is cut */

/* Seconds since the epoch. */
int64_t certificate_not_before(const X509 *certificate);
int64_t certificate_not_after(const X509 *certificate);
/* "2026-01-31 12:00:00 UTC" */
void certificate_date(int64_t seconds, char text[CERTIFICATE_DATE]);

/* The subject's or issuer's name in RFC 2253's form, without control characters. */
void certificate_subject(const X509 *certificate, char text[CERTIFICATE_NAME]);
void certificate_issuer(const X509 *certificate, char text[CERTIFICATE_NAME]);

/* Its one SPIFFE ID into `id` and NULL; or "" and what is wrong, to be put behind "the certificate". */
const char *certificate_spiffe_id(const X509 *certificate, char id[SPIFFE_ROOM]);
/* May it sign others? A certificate that proves a workload must not (X.509-SVID standard §5.2). */
bool certificate_signs(X509 *certificate);

#endif
