/* Whom to let in or to accept: namespace/name patterns and whole SPIFFE IDs. */
#include "policy/value.h"

#include "base/banned.h"
#include "policy/array.h"
#include "policy/snapshot_parts.h"

/* spiffe://trust-domain/path, without query, fragment, port or percent-encoding. */
static bool is_spiffe_id(const char *text)
{
    const char *domain = text + strlen("spiffe://"), *path = strchrnul(domain, '/');

    if (trust_domain_fault(domain, (size_t)(path - domain)) || !*path)
        return false;
    while (*path) {
        const char *segment = path + 1;
        path = strchrnul(segment, '/');
        if (segment_fault(segment, (size_t)(path - segment)))
            return false;
    }
    return true;
}

static bool is_pattern_part(const char *text, size_t length)
{
    return (length == 1 && *text == '*') || !segment_fault(text, length);
}

static bool is_identity(const char *text)
{
    const char *slash = strchr(text, '/');
    if (!strncmp(text, "spiffe://", strlen("spiffe://")))
        return is_spiffe_id(text);
    return slash && !strchr(slash + 1, '/') && is_pattern_part(text, (size_t)(slash - text)) &&
           is_pattern_part(slash + 1, strlen(slash + 1));
}

static bool add_identity(struct identity_list *list, const char *text)
{
    char **more = array_more(list->patterns, list->count, sizeof *more);
    if (more)
        list->patterns = more;
    if (more)
        more[list->count] = strdup(text);
    if (!more || !more[list->count])
        return false;
    list->count++;
    return true;
}

void value_identities(const struct value *value, void *field)
{
    struct identity_list list = { NULL, 0 }, *target = field;
    struct items items = { 0 };

    if (value_is_empty_list(value))
        return;
    while (value_next_item(value, &items)) {
        if (!is_identity(items.text))
            item_wrong(value, &items,
                       "\"%s\" has %s; expected namespace/name, where '*' stands for a whole part, or "
                       "spiffe://trust-domain/path",
                       value->key, QUOTE(items.text));
        else if (!add_identity(&list, items.text))
            value->problems->no_memory = true;
    }
    identity_list_clear(target);
    *target = list;
}
