/*
 * A certificate authority in a directory: ca.pem, the root, and ca-key.pem, its key. The trust domain is
 * remembered by the root's own SPIFFE ID, spiffe://TRUST_DOMAIN.
 */
#ifndef MESHCTL_AUTHORITY_H
#define MESHCTL_AUTHORITY_H

#include "mint.h"

struct authority;

#define AUTHORITY_ROOT "ca.pem"
#define AUTHORITY_KEY  "ca-key.pem"

/* A new root; false with a sentence in `why`. Never replaces an authority that is there. */
bool authority_create(const char *directory, const char *trust_domain, struct validity validity,
                      struct buf *why);
/* NULL with a sentence in `why`. */
struct authority *authority_open(const char *directory, struct buf *why);
void authority_free(struct authority *authority);
const char *authority_trust_domain(const struct authority *authority);

/* Who is to have a certificate. All borrowed. */
struct leaf_request {
    const char *namespace_, *name;
    const char *const *hosts; /* further names in the certificate: DNS names and addresses */
    size_t host_count;
    struct validity validity;
};
/* What was made. leaf_free wipes the key. */
struct leaf {
    struct buf certificate, key, root;
    char spiffe_id[512];
    int64_t not_after;
    bool shortened; /* the root ends earlier than what was asked for */
};
bool authority_issue(const struct authority *authority, const struct leaf_request *request, struct leaf *leaf,
                     struct buf *why);
void leaf_free(struct leaf *leaf);

/* May it stand in a SPIFFE ID: a trust domain; a namespace or a name. */
bool authority_trust_domain_valid(const char *text);
bool authority_segment_valid(const char *text);
/* May it stand in a certificate as a DNS name (with or without *.) or an address. */
bool authority_host_valid(const char *text);

#endif
