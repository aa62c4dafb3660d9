/* See json_view.h. */
#include "json_view.h"

#include "render.h"

#include "base/banned.h"

static bool is_scalar(const struct json *json)
{
    return json->type < JSON_ARRAY;
}

static const char *scalar_text(const struct json *json)
{
    switch (json->type) {
    case JSON_TRUE:
        return "yes";
    case JSON_FALSE:
        return "no";
    case JSON_NUMBER:
    case JSON_STRING:
        return *json->text ? json->text : "-";
    default:
        return "-";
    }
}

static bool is_flat(const struct json *object)
{
    if (object->type != JSON_OBJECT || !object->child)
        return false;
    for (const struct json *member = object->child; member; member = member->next)
        if (!is_scalar(member))
            return false;
    return true;
}

/* A list whose objects are all flat becomes a table with the columns of the first. */
static bool is_tabular(const struct json *array)
{
    if (array->type != JSON_ARRAY || !array->child)
        return false;
    for (const struct json *item = array->child; item; item = item->next)
        if (!is_flat(item))
            return false;
    return true;
}

static void upper(char *text)
{
    for (; *text; text++)
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
}

enum { COLUMNS_MOST = 32 };

static size_t fill_columns(const struct json *first, struct column *columns, char **titles)
{
    size_t count = 0;
    for (const struct json *member = first->child; member && count < COLUMNS_MOST; member = member->next) {
        titles[count] = strdup(member->key);
        if (!titles[count])
            break;
        upper(titles[count]);
        columns[count] = (struct column){ titles[count], member->type == JSON_NUMBER };
        count++;
    }
    return count;
}

static void view_table(const struct json *array)
{
    struct column columns[COLUMNS_MOST];
    char *titles[COLUMNS_MOST];
    size_t count = fill_columns(array->child, columns, titles);
    struct grid *grid = count ? grid_new(columns, count) : NULL;

    for (const struct json *item = array->child; grid && item; item = item->next) {
        const struct json *column = array->child->child;
        for (size_t i = 0; i < count; i++, column = column->next) {
            const struct json *value = json_get(item, column->key);
            grid_cell(grid, PLAIN, value ? scalar_text(value) : "-");
        }
    }
    grid_write(grid);
    grid_free(grid);
    while (count > 0)
        free(titles[--count]);
}

static void view_key(const struct json *member, int indent)
{
    printf("%*s", indent, "");
    if (member->key) {
        fputs(render_colour(BOLD), stdout);
        render_text(member->key);
        printf("%s:", render_colour(PLAIN));
    } else {
        putchar('-');
    }
}

/* Several lines stand one under another. */
static void view_scalar(const struct json *json, int indent)
{
    const char *text = scalar_text(json);
    for (;;) {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);
        render_text(line ? line : "?");
        putchar('\n');
        free(line);
        text += length + (text[length] == '\n');
        if (!*text)
            return;
        printf("%*s", indent, "");
    }
}

static void view_member(const struct json *member, int indent)
{
    view_key(member, indent);
    if (is_scalar(member)) {
        putchar(' ');
        view_scalar(member, indent + 2);
    } else if (!member->child) {
        printf(" none\n");
    } else {
        putchar('\n');
        json_view(member, indent + 2);
    }
}

void json_view(const struct json *json, int indent)
{
    if (is_scalar(json)) {
        printf("%*s", indent, "");
        view_scalar(json, indent);
    } else if (is_tabular(json)) {
        view_table(json);
    } else {
        for (const struct json *member = json->child; member; member = member->next)
            view_member(member, indent);
    }
}
