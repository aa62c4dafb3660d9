/* See render.h. */
#include "render.h"

#include <unistd.h>

#include "base/banned.h"

bool render_colourful(void)
{
    static int known = -1;
    if (known < 0) {
        const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
        known = isatty(STDOUT_FILENO) && !(none && *none) && terminal && strcmp(terminal, "dumb") != 0;
    }
    return known > 0;
}

const char *render_colour(enum colour colour)
{
    static const char *const escapes[] = {
        "\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"
    };
    return render_colourful() ? escapes[colour] : "";
}

/* Three significant digits are enough for the eye. */
static struct human scaled(double value, double step, const char *const *units, size_t count)
{
    struct human human;
    size_t unit = 0;
    while (value >= step * 0.9995 && unit + 1 < count) {
        value /= step;
        unit++;
    }
    snprintf(human.text, sizeof human.text, "%.*f%s",
             unit == 0 || value >= 99.95 ? 0
             : value >= 9.995            ? 1
                                         : 2,
             value, units[unit]);
    return human;
}

struct human human_bytes(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    return scaled((double)bytes, 1024, units, 6);
}

struct human human_microseconds(double microseconds)
{
    static const char *const units[] = { "µs", "ms", "s" };
    return scaled(microseconds, 1000, units, 3);
}

struct human human_count(uint64_t count)
{
    struct human human;
    snprintf(human.text, sizeof human.text, "%llu", (unsigned long long)count);
    return human;
}

struct cell {
    char *text;
    enum colour colour;
    bool is_note;
};

struct grid {
    const struct column *columns;
    size_t column_count;
    struct cell *cells;
    size_t count, room;
    bool failed;
};

struct grid *grid_new(const struct column *columns, size_t count)
{
    struct grid *grid = calloc(1, sizeof *grid);
    if (!grid)
        return NULL;
    grid->columns = columns;
    grid->column_count = count;
    return grid;
}

static bool make_room(struct grid *grid)
{
    size_t room = grid->room ? 2 * grid->room : 64;
    struct cell *cells;
    if (grid->count < grid->room)
        return true;
    cells = reallocarray(grid->cells, room, sizeof *cells);
    if (!cells)
        return false;
    grid->cells = cells;
    grid->room = room;
    return true;
}

static void add(struct grid *grid, struct cell cell)
{
    if (!grid || grid->failed || !make_room(grid)) {
        if (grid)
            grid->failed = true;
        free(cell.text);
        return;
    }
    grid->cells[grid->count++] = cell;
}

void grid_cell(struct grid *grid, enum colour colour, const char *text)
{
    add(grid, (struct cell){ strdup(text), colour, false });
}

void grid_note(struct grid *grid, enum colour colour, const char *text)
{
    add(grid, (struct cell){ strdup(text), colour, true });
}

/* Characters, not bytes. */
static size_t width(const char *text)
{
    size_t n = 0;
    for (; text && *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void render_text(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        putchar(c < 0x20 || c == 0x7f ? '?' : c);
    }
}

static void write_cell(const struct cell *cell, size_t room, bool right, bool last)
{
    const char *text = cell->text ? cell->text : "?";
    size_t padding = room > width(text) ? room - width(text) : 0;
    if (right)
        printf("%*s", (int)padding, "");
    fputs(cell->colour == PLAIN ? "" : render_colour(cell->colour), stdout);
    render_text(text);
    fputs(cell->colour == PLAIN ? "" : render_colour(PLAIN), stdout);
    if (last)
        putchar('\n');
    else
        printf("%*s", (int)(right ? 2 : padding + 2), "");
}

static void measure(const struct grid *grid, size_t *widths)
{
    size_t column = 0;
    for (size_t i = 0; i < grid->column_count; i++)
        widths[i] = width(grid->columns[i].title);
    for (size_t i = 0; i < grid->count; i++) {
        size_t w = width(grid->cells[i].text);
        if (grid->cells[i].is_note)
            continue;
        if (w > widths[column])
            widths[column] = w;
        column = (column + 1) % grid->column_count;
    }
}

static void write_titles(const struct grid *grid, const size_t *widths)
{
    for (size_t i = 0; i < grid->column_count; i++) {
        char title[64];
        struct cell cell = { title, BOLD, false };
        snprintf(title, sizeof title, "%s", grid->columns[i].title);
        write_cell(&cell, widths[i], grid->columns[i].right, i + 1 == grid->column_count);
    }
}

void grid_write(const struct grid *grid)
{
    size_t *widths = grid ? calloc(grid->column_count, sizeof *widths) : NULL, column = 0;
    if (!widths)
        return;
    measure(grid, widths);
    write_titles(grid, widths);
    for (size_t i = 0; i < grid->count; i++) {
        const struct cell *cell = &grid->cells[i];
        if (cell->is_note) {
            write_cell(cell, 0, false, true);
            continue;
        }
        write_cell(cell, widths[column], grid->columns[column].right, column + 1 == grid->column_count);
        column = (column + 1) % grid->column_count;
    }
    free(widths);
}

void grid_free(struct grid *grid)
{
    if (!grid)
        return;
    for (size_t i = 0; i < grid->count; i++)
        free(grid->cells[i].text);
    free(grid->cells);
    free(grid);
}
