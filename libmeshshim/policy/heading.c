/* See heading.h. */
#include "policy/heading.h"

#include <ctype.h>

#include "base/banned.h"
#include "policy/suggest.h"

#define HEADING_MOST 256
#define HEADINGS     "[workload], [inbound], [inbound PORT] or [service NAME]"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What follows the closing bracket: nothing, or a comment. */
static bool is_rest(const char *rest, const char *end)
{
    while (rest < end && is_blank(*rest))
        rest++;
    return rest == end || *rest == ';' || *rest == '#';
}

bool heading_is_whole(const char *line, size_t length)
{
    const char *close = memchr(line, ']', length);
    return length > 0 && *line == '[' && close && is_rest(close + 1, line + length);
}

static void read_port(const char *argument, unsigned number, struct section *section,
                      struct problems *problems)
{
    if (!*argument || port_parse(argument, &section->port))
        return;
    section->broken = true;
    problem_at(problems, number, "[inbound PORT] with %s; expected a port, 1 to 65535", QUOTE(argument));
}

static bool is_service_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    return length > 0 && length <= SERVICE_NAME_MOST && !name[length] && isalnum((unsigned char)name[0]) &&
           isalnum((unsigned char)name[length - 1]);
}

static void read_name(const char *argument, unsigned number, struct section *section,
                      struct problems *problems)
{
    section->broken = !is_service_name(argument);
    if (!section->broken)
        memcpy(section->name, argument, strlen(argument) + 1);
    else if (!*argument)
        problem_at(problems, number, "[service] has no name; expected [service NAME]");
    else
        problem_at(problems, number,
                   "[service NAME] with %s; expected at most %d letters, digits, '-', '_' and '.', a letter "
                   "or a digit "
                   "at both ends",
                   QUOTE(argument), SERVICE_NAME_MOST);
}

static void tell_unknown(const char *word, unsigned number, struct problems *problems)
{
    struct suggestion suggestion = { .word = word };
    for (enum section_kind kind = SECTION_WORKLOAD; kind < SECTION_UNKNOWN; kind++)
        suggest_offer(&suggestion, section_word(kind));
    if (suggestion.best)
        problem_at(problems, number, "unknown section %s; did you mean %s?", QUOTE(word),
                   section_heading(section_kind_of(suggestion.best)));
    else
        problem_at(problems, number, "unknown section %s; expected " HEADINGS, QUOTE(word));
}

/* Splits "kind  argument" in place; the argument is "" where there is none. */
static char *split(char *words)
{
    char *argument = words + strcspn(words, " \t");
    if (*argument)
        *argument++ = '\0';
    return argument + strspn(argument, " \t");
}

static void read_words(char *words, unsigned number, struct section *section, struct problems *problems)
{
    char *argument = split(words);
    section->kind = section_kind_of(words);
    if (section->kind == SECTION_UNKNOWN)
        tell_unknown(words, number, problems);
    else if (section->kind == SECTION_INBOUND)
        read_port(argument, number, section, problems);
    else if (section->kind == SECTION_SERVICE)
        read_name(argument, number, section, problems);
    else if (*argument) {
        section->broken = true;
        problem_at(problems, number, "[workload] with %s; expected [workload] alone", QUOTE(argument));
    }
}

void heading_parse(const char *line, size_t length, unsigned number, struct section *section,
                   struct problems *problems)
{
    const char *close = memchr(line, ']', length), *start = line + 1;
    char words[HEADING_MOST];

    *section = (struct section){ .kind = SECTION_UNKNOWN, .line = number };
    if (!heading_is_whole(line, length) || (size_t)(close - start) >= sizeof words) {
        problem_at(problems, number, "a section's line ends at its ']'; expected " HEADINGS);
        return;
    }
    while (start < close && is_blank(*start))
        start++;
    while (close > start && is_blank(close[-1]))
        close--;
    memcpy(words, start, (size_t)(close - start));
    words[close - start] = '\0';
    read_words(words, number, section, problems);
}
