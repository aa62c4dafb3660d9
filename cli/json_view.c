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

/* A list whose objects are all flat becomes a table with the columns of all. */
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

struct columns {
    size_t count;
    struct column column[COLUMNS_MOST];
    const char *key[COLUMNS_MOST];
    char *title[COLUMNS_MOST];
};

static bool has_column(const struct columns *c, const char *key)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->key[i], key) == 0)
            return true;
    return false;
}

static void add_column(struct columns *c, const struct json *member)
{
    char *title = strdup(member->key);
    if (!title)
        return;
    upper(title);
    c->column[c->count] = (struct column){ title, member->type == JSON_NUMBER };
    c->key[c->count] = member->key;
    c->title[c->count++] = title;
}

/* Those of all: a listener says less of itself than a connection does. */
static void find_columns(struct columns *c, const struct json *array)
{
    for (const struct json *item = array->child; item; item = item->next)
        for (const struct json *member = item->child; member; member = member->next)
            if (c->count < COLUMNS_MOST && !has_column(c, member->key))
                add_column(c, member);
}

static void view_table(const struct json *array)
{
    struct columns c = { 0 };
    struct grid *grid;

    find_columns(&c, array);
    grid = c.count ? grid_new(c.column, c.count) : NULL;
    for (const struct json *item = array->child; grid && item; item = item->next) {
        for (size_t i = 0; i < c.count; i++) {
            const struct json *value = json_get(item, c.key[i]);
            grid_cell(grid, PLAIN, value ? scalar_text(value) : "-");
        }
    }
    grid_write(grid);
    grid_free(grid);
    while (c.count > 0)
        free(c.title[--c.count]);
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

/* What an empty list means where that is not "none": one that says whom to let in lets in everybody. */
static const char *empty_words(const char *key)
{
    static const struct {
        const char *key, *words;
    } meanings[] = { { "allow", "any in the trust domain" },
                     { "identity", "any in the trust domain" },
                     { "endpoints", "the address that the program dialled" } };
    for (size_t i = 0; key && i < sizeof meanings / sizeof *meanings; i++)
        if (strcmp(meanings[i].key, key) == 0)
            return meanings[i].words;
    return "none";
}

static void view_member(const struct json *member, int indent)
{
    view_key(member, indent);
    if (is_scalar(member)) {
        putchar(' ');
        view_scalar(member, indent + 2);
    } else if (!member->child) {
        printf(" %s\n", empty_words(member->key));
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
