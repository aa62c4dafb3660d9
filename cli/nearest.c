/* See nearest.h. */
#include "nearest.h"

#include "command.h"

#include "base/banned.h"

enum { LONGEST = 32 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance; words longer than the longest command are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t row[LONGEST + 1], length = strlen(b);
    if (length > LONGEST || strlen(a) > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t above = row[j + 1];
            row[j + 1] = smaller(smaller(above, row[j]) + 1, diagonal + (a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[length];
}

const char *nearest_command(const char *word)
{
    const char *best = NULL;
    size_t least = 3; /* two letters changed still look like a slip */
    for (size_t i = 0; i < command_count; i++) {
        size_t d = distance(word, commands[i]->name);
        if (d < least && d < strlen(commands[i]->name)) {
            least = d;
            best = commands[i]->name;
        }
    }
    return best;
}
