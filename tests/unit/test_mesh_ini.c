/* The sample and the man page say what the key table says. */
#include "mesh.h"

#include <stdlib.h>

/* conf/NAME, found from where this file is. malloc'ed. */
static char *read_conf(const char *name)
{
    const char *here = __FILE__, *tests = strstr(here, "tests/unit/");
    struct buf path = BUF_INIT, text = BUF_INIT;
    char chunk[4096];
    size_t length;
    FILE *file;

    CU_ASSERT_PTR_NOT_NULL_FATAL(tests);
    buf_printf(&path, "%.*sconf/%s", (int)(tests - here), here, name);
    file = fopen(path.data, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while ((length = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_append(&text, chunk, length);
    fclose(file);
    buf_free(&path);
    return text.data;
}

/* Takes the ";" from each line that is a key behind it. Returns how many. */
static unsigned uncomment(char *text)
{
    unsigned count = 0;
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line == ';' && line[1] >= 'a' && line[1] <= 'z') {
            *line = ' ';
            count++;
        }
    }
    return count;
}

static void the_sample_is_right(void)
{
    char *text = read_conf("mesh.ini");
    snapshot_unref(mesh_good(text));
    free(text);
}

static void the_sample_is_right_with_every_line(void)
{
    char *text = read_conf("mesh.ini");
    struct snapshot *snapshot;
    CU_ASSERT(uncomment(text) > 10);
    snapshot = mesh_good(text);
    CU_ASSERT_EQUAL(snapshot_service_count(snapshot), 1);
    CU_ASSERT_EQUAL(snapshot_inbound(snapshot, 8080)->allow.count, 2);
    snapshot_unref(snapshot);
    free(text);
}

/* Whether "key =" begins a line of the section, of which `section` is the first word. */
static bool sample_has(const char *text, const char *section, const char *key)
{
    bool inside = false;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        size_t length = strlen(key);
        if (*line == '[')
            inside = !strncmp(line + 1, section, strlen(section));
        line += strspn(line, "; ");
        if (inside && !strncmp(line, key, length) && line[length + strspn(line + length, " ")] == '=')
            return true;
    }
    return false;
}

static void the_sample_has_every_key(void)
{
    char *text = read_conf("mesh.ini");
    for (size_t i = 0; i < config_key_count; i++) {
        if (!sample_has(text, config_keys[i].section, config_keys[i].name))
            fprintf(stderr, "conf/mesh.ini lacks %s of [%s]\n", config_keys[i].name, config_keys[i].section);
        CU_ASSERT_TRUE(sample_has(text, config_keys[i].section, config_keys[i].name));
    }
    free(text);
}

/* What the table says, as the man page must. */
static void write_item(const struct config_key *key, struct buf *out)
{
    size_t length = strlen(key->fallback);
    buf_printf(out, ".TP\n.BR %s \" = \\fI%s\\fR\"\n%s\n", key->name, key->type, key->help);
    if (!strcmp(key->fallback, "(required)"))
        buf_puts(out, "Required.\n");
    else if (*key->fallback == '(')
        buf_printf(out, "Default: %.*s.\n", (int)length - 2, key->fallback + 1);
    else
        buf_printf(out, "Default: %s.\n", key->fallback);
}

static void the_man_page_is_the_table(void)
{
    char *page = read_conf("mesh.ini.5");
    struct buf section = BUF_INIT;
    size_t items = 0;

    for (size_t i = 0; i < config_key_count; i++) {
        struct buf item = BUF_INIT;
        const char *heading;
        write_item(&config_keys[i], &item);
        buf_printf(&section, "\n.SS [%s", config_keys[i].section);
        heading = strstr(page, section.data);
        CU_ASSERT_PTR_NOT_NULL_FATAL(heading);
        if (!strstr(heading, item.data))
            fprintf(stderr, "conf/mesh.ini.5 lacks, in [%s]:\n%s", config_keys[i].section, item.data);
        CU_ASSERT_PTR_NOT_NULL(strstr(heading, item.data));
        buf_free(&item);
        buf_free(&section);
    }
    for (const char *at = page; (at = strstr(at, " \" = \\fI")) != NULL; at++)
        items++;
    CU_ASSERT_EQUAL(items, config_key_count);
    free(page);
}

static CU_TestInfo tests[] = {
    { "the sample is right", the_sample_is_right },
    { "the sample is right with every line", the_sample_is_right_with_every_line },
    { "the sample has every key", the_sample_has_every_key },
    { "the man page is the table", the_man_page_is_the_table },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("mesh.ini", tests);
}
