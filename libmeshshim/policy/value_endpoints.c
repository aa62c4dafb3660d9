/* Where a service's connections go. */
#include "policy/value.h"

#include "base/banned.h"
#include "policy/array.h"
#include "policy/snapshot_parts.h"
#include "policy/table.h"

static void tell_bad_endpoint(const struct value *value, const struct items *items)
{
    const char *text = items->text, *colon = strrchr(text, ':');
    struct address address;
    uint16_t port;

    if (address_parse(text, &address) == ADDRESS_FINE && (address.family == 4 || !colon))
        item_wrong(value, items, "\"endpoints\" has %s without a port; expected ADDRESS:PORT", QUOTE(text));
    else if (*text != '[' && colon && strchr(text, ':') != colon)
        item_wrong(value, items,
                   "\"endpoints\" has %s; expected brackets round an IPv6 address, [ADDRESS]:PORT",
                   QUOTE(text));
    else if (*text != '[' && colon && port_parse(colon + 1, &port))
        item_wrong(value, items,
                   "\"endpoints\" has %s; expected a numeric address, for names are not resolved here",
                   QUOTE(text));
    else
        item_wrong(value, items,
                   "\"endpoints\" has %s; expected ADDRESS:PORT or [ADDRESS]:PORT, numeric, port 1 to 65535",
                   QUOTE(text));
}

/* Splits "10.1.0.5:8080" or "[fd00::1]:8080". */
static bool parse_endpoint(const char *text, struct address *address, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    bool bracketed = *text == '[';
    char number[sizeof((struct items *)0)->text];
    size_t length;

    if (!colon || colon == text || (bracketed && colon[-1] != ']') || !port_parse(colon + 1, port))
        return false;
    length = (size_t)(colon - text) - (bracketed ? 2 : 0);
    memcpy(number, text + bracketed, length);
    number[length] = '\0';
    return !strchr(number, '/') && address_parse(number, address) == ADDRESS_FINE &&
           (bracketed ? strchr(number, ':') != NULL : !strchr(number, ':'));
}

static bool fill_endpoint(struct endpoint *endpoint, const struct address *address, uint16_t port)
{
    struct buf text = BUF_INIT;
    *endpoint = (struct endpoint){ .text = NULL };
    endpoint->address_length = address_to_socket(address, port, &endpoint->address);
    buf_puts(&text, address->family == 6 ? "[" : "");
    address_write(address, &text);
    buf_printf(&text, "%s:%u", address->family == 6 ? "]" : "", port);
    if (text.failed)
        buf_free(&text);
    endpoint->text = text.data;
    return endpoint->text != NULL;
}

static bool add_endpoint(struct service *service, const struct address *address, uint16_t port)
{
    struct endpoint *more = array_more(service->endpoints, service->endpoint_count, sizeof *more);
    if (!more)
        return false;
    service->endpoints = more;
    if (!fill_endpoint(&more[service->endpoint_count], address, port))
        return false;
    service->endpoint_count++;
    return true;
}

/* The same one twice would get twice its share: a slip of the pen. */
static bool is_new(const struct value *value, const struct items *items, struct table *seen,
                   const struct address *address, uint16_t port)
{
    char key[sizeof *address + sizeof port];
    uint32_t line;
    enum table_put put;

    memcpy(key, address, sizeof *address);
    memcpy(key + sizeof *address, &port, sizeof port);
    put = table_put(seen, key, sizeof key, items->line, &line);
    if (put == TABLE_PRESENT)
        item_wrong(value, items, "\"endpoints\" has %s twice, first on line %u; expected it once",
                   QUOTE(items->text), line);
    value->problems->no_memory |= put == TABLE_NO_MEMORY;
    return put == TABLE_ADDED;
}

void value_endpoints(const struct value *value, void *field)
{
    struct service *service = field;
    struct items items = { 0 };
    struct table seen = { .slots = NULL };
    struct address address;
    uint16_t port;

    if (value_is_empty_list(value))
        return;
    while (value_next_item(value, &items)) {
        if (!parse_endpoint(items.text, &address, &port))
            tell_bad_endpoint(value, &items);
        else if (is_new(value, &items, &seen, &address, port) && !add_endpoint(service, &address, port))
            value->problems->no_memory = true;
    }
    table_free(&seen);
}
