/* See spiffe.h. */
#include "tls/spiffe.h"

#include <string.h>

#include "base/banned.h"

static const char scheme[] = "spiffe://";
#define SCHEME_LENGTH (sizeof scheme - 1)

static bool in_trust_domain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool in_path(char c)
{
    return in_trust_domain(c) || (c >= 'A' && c <= 'Z');
}

/* A segment of the path: not empty, not "." or "..". */
static bool segment_good(const char *segment, size_t n)
{
    if (n == 0 || (n == 1 && segment[0] == '.') || (n == 2 && segment[0] == '.' && segment[1] == '.'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!in_path(segment[i]))
            return false;
    return true;
}

bool spiffe_well_formed(const char *id, size_t length)
{
    size_t at = SCHEME_LENGTH;

    if (length <= SCHEME_LENGTH || memcmp(id, scheme, SCHEME_LENGTH) != 0)
        return false;
    while (at < length && in_trust_domain(id[at]))
        at++;
    if (at == SCHEME_LENGTH || at == length || id[at] != '/')
        return false;
    while (at < length) { /* at a slash */
        size_t from = ++at;
        while (at < length && id[at] != '/')
            at++;
        if (!segment_good(id + from, at - from))
            return false;
    }
    return true;
}

bool spiffe_in_domain(const char *id, const char *trust_domain)
{
    size_t n = strlen(trust_domain);
    return strncmp(id, scheme, SCHEME_LENGTH) == 0 && strncmp(id + SCHEME_LENGTH, trust_domain, n) == 0 &&
           id[SCHEME_LENGTH + n] == '/';
}
