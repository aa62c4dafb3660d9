/* Lists of value.h, item by item. */
#include "policy/value.h"

#include "base/banned.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts [start, end) out of a line, trimmed, into items->text; false where it does not fit or is empty. */
static bool cut_item(struct items *items, const char *start, const char *end)
{
    size_t length;
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    length = (size_t)(end - start);
    if (length >= sizeof items->text)
        length = sizeof items->text - 1;
    memcpy(items->text, start, length);
    items->text[length] = '\0';
    return length > 0;
}

bool value_next_item(const struct value *value, struct items *items)
{
    while (items->piece < value->count) {
        const struct piece *piece = &value->pieces[items->piece];
        const char *start = piece->text + items->offset, *comma = strchrnul(start, ',');

        items->line = piece->line;
        items->offset = (size_t)(comma - piece->text) + 1;
        if (!*comma) {
            items->piece++;
            items->offset = 0;
        }
        if (cut_item(items, start, comma))
            return true;
        /* Nothing at a line's end is how a list goes on; nothing before a comma is an item that got lost. */
        if (*comma)
            item_wrong(value, items, "\"%s\" has nothing before a comma; expected an item", value->key);
    }
    return false;
}

/* An empty list would mean "any" or "none", which is never what an empty line was meant to say. */
bool value_is_empty_list(const struct value *value)
{
    for (size_t i = 0; i < value->count; i++)
        if (*value->pieces[i].text)
            return false;
    value_wrong(value, "\"%s\" is empty; expected a list, or no such line", value->key);
    return true;
}
