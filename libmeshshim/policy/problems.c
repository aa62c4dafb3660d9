/* See problems.h. */
#include "policy/problems.h"

#include <stdarg.h>

#include "base/banned.h"
#include "policy/array.h"

#define QUOTED_MOST 64

static void write_origin(const struct problems *problems, struct origin origin, struct buf *out)
{
    if (origin.variable)
        buf_printf(out, "%s: ", origin.variable);
    else if (origin.line)
        buf_printf(out, "%s:%u: ", problems->path, origin.line);
    else
        buf_printf(out, "%s: ", problems->path);
}

static void keep(struct problems *problems, unsigned line, char *text)
{
    struct problem *list = array_more(problems->list, problems->count, sizeof *list);
    if (!list) {
        problems->no_memory = true;
        free(text);
        return;
    }
    list[problems->count] = (struct problem){ line, problems->count, text };
    problems->list = list;
    problems->count++;
}

void problem_add(struct problems *problems, struct origin origin, const char *format, ...)
{
    struct buf text = BUF_INIT;
    va_list args;
    char *sentence = NULL;

    if (problems->count == PROBLEMS_MOST) {
        problems->dropped++;
        return;
    }
    va_start(args, format);
    if (vasprintf(&sentence, format, args) < 0)
        sentence = NULL;
    va_end(args);
    if (sentence) {
        write_origin(problems, origin, &text);
        buf_puts(&text, sentence);
        free(sentence);
    }
    if (text.failed || !text.data) {
        problems->no_memory = true;
        buf_free(&text);
        return;
    }
    keep(problems, origin.line, text.data);
}

bool problems_any(const struct problems *problems)
{
    return problems->count > 0 || problems->no_memory;
}

static int by_line(const void *a, const void *b)
{
    const struct problem *left = a, *right = b;
    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

void problems_tell(struct problems *problems, struct buf *out)
{
    if (problems->count)
        qsort(problems->list, problems->count, sizeof *problems->list, by_line);
    for (size_t i = 0; i < problems->count; i++) {
        buf_printf(out, "%s\n", problems->list[i].text);
        free(problems->list[i].text);
    }
    if (problems->dropped)
        buf_printf(out, "%s: and %zu more like these\n", problems->path, problems->dropped);
    if (problems->no_memory)
        buf_printf(out, "%s: there was not enough memory to read it\n", problems->path);
    free(problems->list);
    *problems = (struct problems){ .path = problems->path };
}

struct quoted quote(const char *value)
{
    static const char digits[] = "0123456789abcdef";
    struct quoted quoted = { "" };
    char *at = quoted.text, *end = quoted.text + QUOTED_MOST;

    *at++ = '"';
    for (; *value && at < end; value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte >= ' ' && byte < 0x7f) {
            *at++ = (char)byte;
            continue;
        }
        *at++ = '\\';
        *at++ = 'x';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    for (int i = 0; *value && i < 3; i++)
        *at++ = '.';
    *at++ = '"';
    *at = '\0';
    return quoted;
}
