/* What a program dials: names, addresses and prefixes. */
#include "policy/value.h"

#include "base/banned.h"
#include "policy/array.h"
#include "policy/snapshot_parts.h"

/* A DNS name; whoever wrote digits and dots alone meant an address. */
static bool is_host_name(const char *name)
{
    const char *label = name, *last = name;
    size_t length = 0;

    while (*label) {
        length = strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-_");
        if (length == 0 || length > 63 || (label[length] && label[length] != '.'))
            return false;
        last = label;
        label += length;
        if (*label && !*++label)
            return false;
    }
    return length > 0 && strspn(last, "0123456789") < strlen(last);
}

static void tell_bad_host(const struct value *value, const struct items *items)
{
    const char *text = items->text, *colon = strrchr(text, ':');
    uint16_t port;

    if (strchr(text, '*'))
        item_wrong(value, items, "\"host\" has %s; expected whole names, for a '*' is not understood",
                   QUOTE(text));
    else if (colon && port_parse(colon + 1, &port) && (*text == '[' || strchr(text, ':') == colon))
        item_wrong(value, items, "\"host\" has %s; expected it without a port, and a line \"port = %u\"",
                   QUOTE(text), port);
    else
        item_wrong(
            value, items,
            "\"host\" has %s; expected a name, an IPv4 or IPv6 address, or a prefix such as 10.1.0.0/16",
            QUOTE(text));
}

/* A trailing dot is dropped here, so that a second one is an empty label. */
static bool read_host(const struct value *value, const struct items *items, struct host *host)
{
    enum address_fault fault = address_parse(items->text, &host->address);
    char name[HOST_NAME_MOST + 1];
    struct buf meant = BUF_INIT;

    host->line = items->line;
    if (fault == ADDRESS_FINE)
        return true;
    if (fault == ADDRESS_HOST_BITS) {
        address_write(&host->address, &meant);
        item_wrong(value, items,
                   "\"host\" has %s, which sets bits beyond its prefix; expected %s, or the address alone",
                   QUOTE(items->text), buf_text(&meant));
        buf_free(&meant);
    } else if (fault == ADDRESS_BAD_LENGTH)
        item_wrong(value, items,
                   "\"host\" has %s; expected a prefix length of 0 to 32 for IPv4, 0 to 128 for IPv6",
                   QUOTE(items->text));
    else if (!host_name_fold(items->text, name) || !is_host_name(name))
        tell_bad_host(value, items);
    else {
        host->name = strdup(name);
        value->problems->no_memory |= !host->name;
        return host->name != NULL;
    }
    return false;
}

void value_hosts(const struct value *value, void *field)
{
    struct host_list *list = field;
    struct items items = { 0 };

    if (value_is_empty_list(value))
        return;
    while (value_next_item(value, &items)) {
        struct host host = { .name = NULL }, *more;
        if (!read_host(value, &items, &host))
            continue;
        more = array_more(list->items, list->count, sizeof *more);
        if (!more) {
            value->problems->no_memory = true;
            free(host.name);
            return;
        }
        list->items = more;
        more[list->count++] = host;
    }
}
