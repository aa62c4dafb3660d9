/* See preload.h. */
#include "preload.h"

#include "needs.h"

#include "base/banned.h"

/* The loader splits at colons and blanks. */
static const char separators[] = ": \t\n";

static bool next_entry(const char **at, char *entry, size_t room)
{
    size_t length;
    *at += strspn(*at, separators);
    length = strcspn(*at, separators);
    snprintf(entry, room, "%.*s", (int)length, *at);
    *at += length;
    return length > 0;
}

static void add(struct buf *out, const char *entry)
{
    buf_printf(out, "%s%s", out->length ? ":" : "", entry);
}

/* The entries that are sanitizers, or those that are not. Returns how many. */
static int add_entries(struct buf *out, const char *before, bool sanitizers, const char *but)
{
    char entry[4096];
    int count = 0;
    for (const char *at = before ? before : ""; next_entry(&at, entry, sizeof entry);) {
        if (is_sanitizer(entry) != sanitizers || strcmp(entry, but) == 0)
            continue;
        add(out, entry);
        count++;
    }
    return count;
}

void preload_write(struct buf *out, const char *library, const char *sanitizer, const char *before)
{
    if (add_entries(out, before, true, library) == 0 && *sanitizer)
        add(out, sanitizer);
    add(out, library);
    add_entries(out, before, false, library);
}
