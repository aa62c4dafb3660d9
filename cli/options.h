/* getopt_long, driven by a command's rows. */
#ifndef MESHCTL_OPTIONS_H
#define MESHCTL_OPTIONS_H

#include <getopt.h>

#include "command.h"

enum { OPTIONS_MOST = 16, OPTION_END = -1, OPTION_HELP = 'h', OPTION_WRONG = '?' };

struct options {
    const struct command *command;
    int argc;
    char **argv;
    const char *value; /* of the option just returned */
    int first;         /* after OPTION_END: index of the first argument that is no option */
    struct option longs[OPTIONS_MOST + 2];
    char shorts[2 * OPTIONS_MOST + 8];
};

void options_begin(struct options *options, const struct command *command, int argc, char **argv);
/* The letter of the next option, or OPTION_END. Everything that the caller does not know goes to options_stop. */
int options_next(struct options *options);
/* Help was asked for, or something was wrong (already said): the exit status. */
int options_stop(const struct options *options, int letter);
/* Arguments behind the options: refuses more than `most`. True where their number is right. */
bool options_at_most(const struct options *options, int most);

/* -o table|json|prometheus. */
enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_PROMETHEUS };
/* False, having said so, where `text` is none of the first `known` formats. */
bool format_parse(const struct command *command, const char *text, int known, enum format *format);

/* "24h", "90d", "1h30m", "45s" in seconds; false where it is not a positive duration. */
bool duration_parse(const char *text, long long *seconds);
/* RFC 3339, "2030-01-31T12:00:00Z", as seconds since the epoch. */
bool timestamp_parse(const char *text, long long *seconds);

#endif
