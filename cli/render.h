/* Tables, units and colours for people. */
#ifndef MESHCTL_RENDER_H
#define MESHCTL_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum colour { PLAIN, BOLD, DIM, GREEN, YELLOW, RED };

/* Standard output is a terminal that wants colour (NO_COLOR, TERM=dumb respected). */
bool render_colourful(void);
/* The escape that begins a colour (PLAIN ends one); "" where there is to be none. */
const char *render_colour(enum colour colour);

/* "1.5KiB", "80µs", "12.3ms": no space inside, so that columns stay columns. */
struct human {
    char text[24];
};
struct human human_bytes(uint64_t bytes);
struct human human_microseconds(double microseconds);
struct human human_count(uint64_t count);

struct column {
    const char *title;
    bool right; /* numbers */
};

/* Cells are given row by row, left to right; the table keeps copies and lines them up when it is written. */
struct grid;
struct grid *grid_new(const struct column *columns, size_t count);
void grid_cell(struct grid *grid, enum colour colour, const char *text);
/* A line of its own under the row that was just completed. */
void grid_note(struct grid *grid, enum colour colour, const char *text);
void grid_write(const struct grid *grid);
void grid_free(struct grid *grid);

/* Prints text from elsewhere: what could steer a terminal is shown as '?'. */
void render_text(const char *text);

#endif
