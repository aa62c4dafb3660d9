/* See ini_line.h. */
#include "ini_line.h"

#include "base/banned.h"

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r");
}

/* "[ service  payments ]" names section "service payments". */
static int is_section(const char *line, const char *section)
{
    line = skip_blanks(line + 1);
    while (*section) {
        if (*section == ' ') {
            const char *next = skip_blanks(line);
            if (next == line)
                return 0;
            line = next;
        } else if (*line++ != *section) {
            return 0;
        }
        section++;
    }
    return *skip_blanks(line) == ']';
}

static int is_key(const char *line, const char *key)
{
    size_t length = strlen(key);
    const char *after = line + length;
    if (strncmp(line, key, length) != 0)
        return 0;
    after = skip_blanks(after);
    return *after == '=' || *after == ':';
}

unsigned ini_line(const char *text, const char *section, const char *key)
{
    unsigned number = 1, found = 0;
    int inside = 0;

    for (const char *at = text; at && *at; number++) {
        const char *line = skip_blanks(at);
        if (*line == '[') {
            inside = is_section(line, section);
            if (inside && !found)
                found = number;
        } else if (inside && key && is_key(line, key)) {
            return number;
        }
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return found;
}
