/* Whether an identity is on a list. Lists and patterns are described in snapshot.h. */
#include "policy/snapshot.h"

#include "base/banned.h"
#include "policy/snapshot_parts.h"

void identity_list_clear(struct identity_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->patterns[i]);
    free(list->patterns);
    *list = (struct identity_list){ NULL, 0 };
}

bool identity_list_copy(const struct identity_list *from, struct identity_list *to)
{
    *to = (struct identity_list){ NULL, 0 };
    if (from->count == 0)
        return true;
    to->patterns = calloc(from->count, sizeof *to->patterns);
    while (to->patterns && to->count < from->count &&
           (to->patterns[to->count] = strdup(from->patterns[to->count])))
        to->count++;
    if (to->count == from->count)
        return true;
    identity_list_clear(to);
    return false;
}

/* What follows `prefix` in text, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return text && !strncmp(text, prefix, length) ? text + length : NULL;
}

/* The path of an identity of the trust domain, behind its slash, or NULL. */
static const char *path_within(const char *trust_domain, const char *spiffe_id)
{
    return after(after(after(spiffe_id, "spiffe://"), trust_domain), "/");
}

static bool part_matches(const char *pattern, size_t pattern_length, const char *part, size_t length)
{
    if (length == 0)
        return false;
    if (pattern_length == 1 && *pattern == '*')
        return true;
    return pattern_length == length && !memcmp(pattern, part, length);
}

/* ns/NAMESPACE/sa/NAME and nothing more against "NAMESPACE/NAME". */
static bool path_matches(const char *pattern, const char *path)
{
    const char *slash = strchr(pattern, '/'), *namespace_ = after(path, "ns/"), *end, *name;

    if (!slash || !namespace_)
        return false;
    end = strchrnul(namespace_, '/');
    name = after(end, "/sa/");
    return name && !strchr(name, '/') &&
           part_matches(pattern, (size_t)(slash - pattern), namespace_, (size_t)(end - namespace_)) &&
           part_matches(slash + 1, strlen(slash + 1), name, strlen(name));
}

bool identity_list_matches(const struct identity_list *list, const char *trust_domain, const char *spiffe_id)
{
    const char *path = path_within(trust_domain, spiffe_id);

    if (list->count == 0)
        return path && *path;
    for (size_t i = 0; i < list->count; i++) {
        const char *pattern = list->patterns[i];
        if (after(pattern, "spiffe://") ? !strcmp(pattern, spiffe_id) : path && path_matches(pattern, path))
            return true;
    }
    return false;
}
