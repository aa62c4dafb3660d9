/* The form of SPIFFE IDs (SPIFFE-ID standard §2). Pure. */
#ifndef MESHSHIM_SPIFFE_H
#define MESHSHIM_SPIFFE_H

#include <stdbool.h>
#include <stddef.h>

#define SPIFFE_ROOM 256 /* with the NUL; the standard allows 2048, which no label of ours could carry */

/* Is it "spiffe://TRUST_DOMAIN/PATH", with a path that names somebody? `id` need not be terminated. */
bool spiffe_well_formed(const char *id, size_t length);
/* Is a well-formed `id` of this trust domain? */
bool spiffe_in_domain(const char *id, const char *trust_domain);

#endif
