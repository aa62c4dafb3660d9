/* What came of a run: how each side ended, what it left open, what was seen on the wire. */
#include "drive.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* How many of the words of `text` are `word`. */
static int occurrences(const char *text, const char *word, size_t length)
{
    int found = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        found += n == length && strncmp(text, word, n) == 0;
        text += n + (text[n] == ' ');
    }
    return found;
}

static bool ends_in(const char *word, size_t length, const char *end)
{
    size_t n = strlen(end);
    return length >= n && strncmp(word + length - n, end, n) == 0;
}

/*
 * Where the admin thread could have no table of its own, its descriptors are in the program's: how many of them at once. While it clears the
 * runtime directory of dead sockets it has that open, and a second socket.
 */
static int admins_own(const char *word, size_t length)
{
    static const struct {
        const char *end;
        int count;
    } own[] = { { "socket-of-domain-1", 2 }, { "anon_inode:inotify", 1 }, { "/run", 1 } };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (ends_in(word, length, own[i].end))
            return own[i].count;
    return 0;
}

/* Nothing is open that is not open where nothing fails. */
static bool is_within(const char *what, const char *of)
{
    for (const char *at = what; *at;) {
        size_t n = strcspn(at, " ");
        if (occurrences(what, at, n) > occurrences(of, at, n) + admins_own(at, n))
            return false;
        at += n + (at[n] == ' ');
    }
    return true;
}

struct outcome reference[SCENES];

static const char *judge_side(int scene, const struct outcome *outcome, int side)
{
    static char text[700];
    int status = outcome->status[side];
    if (status == -1)
        return "there was no end";
    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return text;
    }
    if (WEXITSTATUS(status) == 3)
        return "got other bytes than were sent";
    if (WEXITSTATUS(status) == 4)
        return "is of no use afterwards";
    if (WEXITSTATUS(status) == 5)
        return "has lost something";
    if (WEXITSTATUS(status) != 0)
        return "ended badly";
    if (!is_within(outcome->descriptors[side], reference[scene].descriptors[side])) {
        snprintf(text, sizeof text, "has left open: %s", outcome->descriptors[side]);
        return text;
    }
    return NULL;
}

const char *judge(int scene, const struct outcome *outcome)
{
    static char text[800];
    if (outcome->seen)
        return "plain text on the wire";
    for (int i = 0; i < 2; i++) {
        const char *found = judge_side(scene, outcome, i);
        if (found) {
            snprintf(text, sizeof text, "the %s %s", side_names[i], found);
            return text;
        }
    }
    return NULL;
}
