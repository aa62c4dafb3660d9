/* See suggest.h. */
#include "policy/suggest.h"

#include <ctype.h>
#include <string.h>

#include "base/banned.h"

#define LONGEST 48

static char folded(char c)
{
    return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t less = a < b ? a : b;
    return less < c ? less : c;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST + 1], long_a = strlen(a), long_b = strlen(b);
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    if (long_a > LONGEST || long_b > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= long_b; j++)
        above[j] = j;
    for (size_t i = 1; i <= long_a; i++) {
        size_t *oldest = before;
        row[0] = i;
        for (size_t j = 1; j <= long_b; j++) {
            size_t same = folded(a[i - 1]) == folded(b[j - 1]) ? 0 : 1;
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + same);
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]) && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = above;
        above = row;
        row = oldest;
    }
    return above[long_b];
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
    /* A third of the letters may be wrong: more than that is a different word. */
    size_t allowed = (strlen(suggestion->word) + 2) / 3;
    size_t distance = suggest_distance(suggestion->word, candidate);
    if (distance > allowed || (suggestion->best && distance >= suggestion->distance))
        return;
    suggestion->best = candidate;
    suggestion->distance = distance;
}
