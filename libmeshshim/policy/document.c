/*
 * See document.h.
 *
 * inih cuts a line at 200 bytes and a section at 50 without a word, gives its handler no line numbers,
 * reports only the first line that it cannot read, and says nothing of sections. So the reader that hands it
 * the lines looks at each of them first: it numbers them, refuses what inih would cut or misread, and opens
 * the sections. inih then tells names from values, comments and indented lines that go on; its handler runs
 * before the next line is asked for.
 */
#include "policy/document.h"

#include <ctype.h>
#include <ini.h>

#include "base/banned.h"
#include "policy/array.h"
#include "policy/config.h"
#include "policy/heading.h"
#include "policy/suggest.h"
#include "policy/table.h"

struct reader {
    const char *at, *end;
    unsigned line;
    struct document *document;
    struct problems *problems;
    struct table headings; /* to find a section's double */
    bool in_section;       /* a section that can be looked into */
    bool ignoring;         /* an unknown section: its keys would be noise */
    bool in_entry;         /* indented lines go on with the last entry */
    bool skipping;         /* indented lines go on with an entry that was refused */
    bool continues;        /* the line at inih is an indented one */
};

struct line {
    const char *text; /* without leading blanks */
    size_t length;
    size_t whole; /* with them */
    bool indented;
};

static struct section *last_section(const struct reader *reader)
{
    return &reader->document->sections[reader->document->count - 1];
}

/* --- what inih gives back --- */

static void free_entry(struct entry *entry)
{
    for (size_t i = 0; i < entry->count; i++)
        free((char *)(uintptr_t)entry->pieces[i].text);
    free(entry->pieces);
}

static void add_piece(struct reader *reader, struct entry *entry, const char *text)
{
    struct piece *more = array_more(entry->pieces, entry->count, sizeof *more);
    char *copy = strdup(text);

    if (more)
        entry->pieces = more;
    if (!more || !copy) {
        free(copy);
        reader->problems->no_memory = true;
        return;
    }
    more[entry->count].line = reader->line;
    more[entry->count++].text = copy;
}

static void tell_unknown_key(struct reader *reader, const struct section *section, const char *name)
{
    struct suggestion suggestion = { .word = name };
    enum section_kind home = SECTION_UNKNOWN;
    const char *heading = section_heading(section->kind);

    for (size_t i = 0; i < config_key_count; i++) {
        if (key_rules[i].section == section->kind)
            suggest_offer(&suggestion, config_keys[i].name);
        else if (home == SECTION_UNKNOWN && !strcmp(config_keys[i].name, name))
            home = key_rules[i].section;
    }
    if (home != SECTION_UNKNOWN)
        problem_at(reader->problems, reader->line, "unknown key %s in %s; it belongs in %s", QUOTE(name),
                   heading, section_heading(home));
    else if (suggestion.best)
        problem_at(reader->problems, reader->line, "unknown key %s in %s; did you mean \"%s\"?", QUOTE(name),
                   heading, suggestion.best);
    else
        problem_at(reader->problems, reader->line,
                   "unknown key %s in %s; \"man mesh.ini\" lists the known ones", QUOTE(name), heading);
}

static bool is_double(struct reader *reader, const struct section *section, size_t key)
{
    for (size_t i = 0; i < section->count; i++) {
        if (section->entries[i].key != key)
            continue;
        problem_at(reader->problems, reader->line,
                   "\"%s\" is set twice; it was set on line %u, expected it once", config_keys[key].name,
                   section->entries[i].pieces[0].line);
        return true;
    }
    return false;
}

static void add_entry(struct reader *reader, const char *name, const char *text)
{
    struct section *section = last_section(reader);
    size_t key = key_find(section->kind, name);
    struct entry entry = { .key = key }, *more;

    if (key == KEY_UNKNOWN) {
        tell_unknown_key(reader, section, name);
        return;
    }
    if (is_double(reader, section, key))
        return;
    add_piece(reader, &entry, text);
    more = array_more(section->entries, section->count, sizeof *more);
    if (more)
        section->entries = more;
    if (!more || entry.count == 0) {
        reader->problems->no_memory = true;
        free_entry(&entry);
        return;
    }
    more[section->count++] = entry;
    reader->in_entry = true;
}

static int on_entry(void *user, const char *section, const char *name, const char *text)
{
    struct reader *reader = user;
    (void)section; /* inih's copy is cut at 50 bytes; ours is not */
    if (reader->continues) {
        struct section *open = last_section(reader);
        add_piece(reader, &open->entries[open->count - 1], text);
        return 1;
    }
    if (!reader->in_section)
        problem_at(reader->problems, reader->line,
                   "%s stands before any section; expected a line such as [workload] above it", QUOTE(name));
    else
        add_entry(reader, name, text);
    reader->skipping = !reader->in_entry;
    return 1;
}

/* --- what inih is given --- */

static void open_section(struct reader *reader, const struct line *line)
{
    struct section *more = array_more(reader->document->sections, reader->document->count, sizeof *more);
    struct section section;
    char key[SERVICE_NAME_MOST + 16];
    uint32_t other;
    enum table_put put;

    reader->in_entry = reader->skipping = reader->in_section = false;
    heading_parse(line->text, line->length, reader->line, &section, reader->problems);
    reader->ignoring = section.kind == SECTION_UNKNOWN;
    if (more)
        reader->document->sections = more;
    else
        reader->problems->no_memory = true;
    if (reader->ignoring || !more)
        return;
    snprintf(key, sizeof key, "%d %u %s", section.kind, section.port, section.name);
    put = section.broken ? TABLE_ADDED : table_put(&reader->headings, key, strlen(key), reader->line, &other);
    if (put == TABLE_PRESENT) {
        section.broken = true;
        problem_at(reader->problems, reader->line,
                   "this section stands on line %u already; expected one, with all its keys", other);
    }
    reader->problems->no_memory |= put == TABLE_NO_MEMORY;
    more[reader->document->count++] = section;
    reader->in_section = true;
}

/* NAME = at the start: a key even where it is indented, for no list has such an item. */
static bool is_key(const struct line *line)
{
    size_t at = 0;
    while (at < line->length && (isalnum((unsigned char)line->text[at]) || strchr("_-.", line->text[at])))
        at++;
    if (at == 0)
        return false;
    while (at < line->length && (line->text[at] == ' ' || line->text[at] == '\t'))
        at++;
    return at < line->length && line->text[at] == '=';
}

static bool has_control(const struct line *line)
{
    for (size_t i = 0; i < line->length; i++)
        if ((unsigned char)line->text[i] < ' ' && line->text[i] != '\t')
            return true;
    return memchr(line->text, 0x7f, line->length) != NULL;
}

/* Refused lines are told and taken as empty. */
static bool is_refused(struct reader *reader, const struct line *line, size_t most)
{
    if (has_control(line))
        problem_at(reader->problems, reader->line, "the line holds a control character; expected plain text");
    else if (line->whole > most)
        problem_at(reader->problems, reader->line,
                   "the line is %zu bytes long; expected at most %zu (a list may go on in indented lines)",
                   line->whole, most);
    else
        return false;
    reader->skipping = true;
    reader->in_entry = false;
    if (line->text[0] == '[' && !line->indented)
        reader->ignoring = true;
    return true;
}

static struct line take_line(struct reader *reader)
{
    const char *newline = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    const char *stop = newline ? newline : reader->end;
    struct line line = { .text = reader->at };

    reader->at = newline ? newline + 1 : reader->end;
    if (++reader->line == 1 && stop - line.text >= 3 && !memcmp(line.text, "\xef\xbb\xbf", 3))
        line.text += 3;
    while (stop > line.text && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
        stop--;
    line.whole = (size_t)(stop - line.text);
    while (line.text < stop && (*line.text == ' ' || *line.text == '\t'))
        line.text++;
    line.length = (size_t)(stop - line.text);
    line.indented = line.length < line.whole;
    return line;
}

/* On a line that goes on, Debian's inih keeps what it takes for a comment elsewhere: " ;" and all behind it.
 */
static void cut_comment(struct line *line)
{
    for (size_t at = 1; at < line->length; at++)
        if (line->text[at] == ';' && (line->text[at - 1] == ' ' || line->text[at - 1] == '\t'))
            line->length = at;
}

/* Whether inih shall see the line; where it shall, `continues` says as what. */
static bool is_for_inih(struct reader *reader, struct line *line, size_t most)
{
    reader->continues = false;
    if (line->length == 0 || line->text[0] == ';' || line->text[0] == '#' || is_refused(reader, line, most))
        return false;
    if (line->text[0] == '[' &&
        (!line->indented || !reader->in_entry || heading_is_whole(line->text, line->length))) {
        open_section(reader, line);
        return reader->in_section;
    }
    if (reader->ignoring)
        return false;
    if (line->indented && (reader->in_entry || reader->skipping) && !is_key(line)) {
        reader->continues = reader->in_entry;
        cut_comment(line);
        return reader->in_entry;
    }
    reader->in_entry = false;
    reader->skipping = !is_key(line);
    if (reader->skipping)
        problem_at(reader->problems, reader->line,
                   "expected NAME = VALUE, or a comment that begins with ';'");
    return !reader->skipping;
}

/* inih's fgets. A line is given without its blanks; one that goes on, with one before it, as inih knows it by
 * that. */
static char *next_line(char *to, int room, void *stream)
{
    struct reader *reader = stream;
    struct line line;
    char *end = to;

    if (reader->at == reader->end || room < 8)
        return NULL;
    line = take_line(reader);
    if (is_for_inih(reader, &line, (size_t)room - 3)) {
        if (reader->continues)
            *end++ = ' ';
        end = mempcpy(end, line.text, line.length);
    }
    *end++ = '\n';
    *end = '\0';
    return to;
}

void document_parse(struct document *document, const char *text, size_t length, struct problems *problems)
{
    struct reader reader = {
        .at = text,
        .end = text + length,
        .document = document,
        .problems = problems,
    };
    int refused = ini_parse_stream(next_line, &reader, on_entry, &reader);

    /* The lines were looked at before inih saw them, so this would be one that we understand differently. */
    if (refused && !problems_any(problems))
        problem_at(problems, (unsigned)refused, "the line cannot be read; expected NAME = VALUE");
    table_free(&reader.headings);
}

void document_free(struct document *document)
{
    for (size_t i = 0; i < document->count; i++) {
        struct section *section = &document->sections[i];
        for (size_t j = 0; j < section->count; j++)
            free_entry(&section->entries[j]);
        free(section->entries);
    }
    free(document->sections);
    *document = (struct document){ NULL, 0 };
}
