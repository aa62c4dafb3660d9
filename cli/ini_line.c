/* See ini_line.h. */
#include "ini_line.h"

#include "policy/array.h"

#include "base/banned.h"

enum { SECTION_MOST = 256 };

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r");
}

static const char *next_line(const char *at)
{
    at += strcspn(at, "\n");
    return at + (*at == '\n');
}

/* "[ service  payments ]" is "service payments". Its length; 0: no section's name. */
static size_t name_of(const char *line, char name[SECTION_MOST])
{
    size_t length = 0;
    for (line = skip_blanks(line + 1); *line && *line != ']' && *line != '\n'; line = skip_blanks(line)) {
        size_t word = strcspn(line, " \t\r]\n");
        if (length + word + 2 > SECTION_MOST)
            return 0;
        if (length)
            name[length++] = ' ';
        memcpy(name + length, line, word);
        length += word;
        line += word;
    }
    return *line == ']' ? length : 0;
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

static void add_section(struct ini_lines *lines, const char *heading, unsigned number)
{
    char name[SECTION_MOST];
    size_t length = name_of(heading, name);
    struct ini_place *more = array_more(lines->places, lines->count, sizeof *more);
    uint32_t other;

    if (more)
        lines->places = more;
    if (!more || length == 0 ||
        table_put(&lines->sections, name, length, (uint32_t)lines->count, &other) != TABLE_ADDED)
        return;
    lines->places[lines->count++] = (struct ini_place){ next_line(heading), number };
}

void ini_lines_read(struct ini_lines *lines, const char *text)
{
    unsigned number = 1;
    for (const char *at = text; at && *at; at = next_line(at), number++)
        if (*skip_blanks(at) == '[')
            add_section(lines, skip_blanks(at), number);
}

void ini_lines_free(struct ini_lines *lines)
{
    table_free(&lines->sections);
    free(lines->places);
    *lines = (struct ini_lines){ .places = NULL };
}

unsigned ini_line(const struct ini_lines *lines, const char *section, const char *key)
{
    const struct ini_place *place;
    uint32_t index;
    unsigned number;

    if (!table_get(&lines->sections, section, strlen(section), &index))
        return 0;
    place = &lines->places[index];
    number = place->line + 1;
    for (const char *at = place->at; key && *at && *skip_blanks(at) != '['; at = next_line(at), number++)
        if (is_key(skip_blanks(at), key))
            return number;
    return place->line;
}
