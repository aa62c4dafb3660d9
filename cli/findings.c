/* See findings.h. */
#include "findings.h"

#include <stdarg.h>

#include "render.h"
#include "stats/json.h"

#include "base/banned.h"

static const struct {
    const char *name;
    enum severity severity;
    const char *meaning;
} codes[] = {
#define FINDING(code, severity, meaning) { #code, severity, meaning },
#include "findings.def"
#undef FINDING
};

const char *severity_name(enum severity severity)
{
    static const char *const names[] = { "info", "warning", "error" };
    return names[severity];
}

void finding_add(struct findings_list *list, enum finding_code code, unsigned line, const char *format, ...)
{
    struct finding *items = reallocarray(list->items, list->count + 1, sizeof *items);
    char *text = NULL;
    va_list args;

    if (items)
        list->items = items;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    if (!items || !text) {
        free(text);
        list->failed = true;
        return;
    }
    items[list->count] = (struct finding){ code, line, list->count, text };
    list->count++;
}

static int by_line(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void findings_sort(struct findings_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, by_line);
}

static void write_place(const struct findings_list *list, const struct finding *finding)
{
    render_text(list->file);
    if (finding->line)
        printf(":%u", finding->line);
    fputs(": ", stdout);
}

void findings_write_text(const struct findings_list *list)
{
    static const enum colour colours[] = { DIM, YELLOW, RED };
    for (size_t i = 0; i < list->count; i++) {
        const struct finding *finding = &list->items[i];
        enum severity severity = codes[finding->code].severity;
        printf("%s%s%s [%s] ", render_colour(colours[severity]), severity_name(severity),
               render_colour(PLAIN), codes[finding->code].name);
        write_place(list, finding);
        render_text(finding->text);
        putchar('\n');
    }
    if (list->count == 0)
        printf("%s: nothing wrong and nothing doubtful was found\n", list->file);
}

void findings_write_json(const struct findings_list *list)
{
    struct buf out = BUF_INIT;
    struct json_stream json = json_stream_to(&out);

    json_begin_object(&json, NULL);
    json_begin_array(&json, "findings");
    for (size_t i = 0; i < list->count; i++) {
        const struct finding *finding = &list->items[i];
        json_begin_object(&json, NULL);
        json_add_string(&json, "code", codes[finding->code].name);
        json_add_string(&json, "severity", severity_name(codes[finding->code].severity));
        json_add_string(&json, "file", list->file);
        json_add_uint(&json, "line", finding->line);
        json_add_string(&json, "message", finding->text);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    printf("%s\n", buf_text(&out));
    buf_free(&out);
}

bool findings_reach(const struct findings_list *list, enum severity threshold)
{
    for (size_t i = 0; i < list->count; i++)
        if (codes[list->items[i].code].severity >= threshold)
            return true;
    return list->failed;
}

void findings_clear(struct findings_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].text);
    free(list->items);
    *list = (struct findings_list){ .file = list->file };
}

void findings_write_codes(void)
{
    static const struct column columns[] = { { "CODE", false }, { "SEVERITY", false }, { "MEANING", false } };
    struct grid *grid = grid_new(columns, 3);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        grid_cell(grid, PLAIN, codes[i].name);
        grid_cell(grid, PLAIN, severity_name(codes[i].severity));
        grid_cell(grid, PLAIN, codes[i].meaning);
    }
    grid_write(grid);
    grid_free(grid);
}
