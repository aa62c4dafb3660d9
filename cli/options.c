/* See options.h. */
#include "options.h"

#include <time.h>

#include "base/banned.h"

void options_begin(struct options *o, const struct command *command, int argc, char **argv)
{
    size_t at = 0, used = 0;

    *o = (struct options){ .command = command, .argc = argc, .argv = argv };
    if (command->runs_another)
        o->shorts[used++] = '+'; /* stop at the first argument */
    o->shorts[used++] = ':';
    for (const struct option_row *row = command->options; row && row->name && at < OPTIONS_MOST;
         row++, at++) {
        o->longs[at] =
            (struct option){ row->name, row->argument ? required_argument : no_argument, NULL, row->letter };
        if (row->letter < 256) {
            o->shorts[used++] = (char)row->letter;
            if (row->argument)
                o->shorts[used++] = ':';
        }
    }
    o->longs[at] = (struct option){ "help", no_argument, NULL, OPTION_HELP };
    o->shorts[used++] = OPTION_HELP;
    opterr = 0;
    optind = 0;
}

/* Which word was wrong: getopt tells the letter of a short option only. */
static const char *wrong_word(const struct options *o, char letter[3])
{
    bool is_long = optind > 0 && optind <= o->argc && strncmp(o->argv[optind - 1], "--", 2) == 0;
    if (!is_long && optopt > 0 && optopt < 256) {
        letter[0] = '-';
        letter[1] = (char)optopt;
        letter[2] = '\0';
        return letter;
    }
    return optind > 0 ? o->argv[optind - 1] : "?";
}

int options_next(struct options *o)
{
    char letter[3];
    int next = getopt_long(o->argc, o->argv, o->shorts, o->longs, NULL);

    o->value = optarg;
    o->first = optind;
    if (next == ':') {
        complain_usage(o->command, "option %s needs a value", wrong_word(o, letter));
        return OPTION_WRONG;
    }
    if (next == '?')
        complain_usage(o->command, "unknown option %s", wrong_word(o, letter));
    return next;
}

int options_stop(const struct options *o, int letter)
{
    if (letter != OPTION_HELP)
        return STATUS_USAGE;
    help_write_command(o->command);
    return STATUS_OK;
}

bool options_at_most(const struct options *o, int most)
{
    if (o->argc - o->first <= most)
        return true;
    complain_usage(o->command, "unexpected argument '%s'", o->argv[o->first + most]);
    return false;
}

bool format_parse(const struct command *command, const char *text, int known, enum format *format)
{
    static const char *const names[] = { "table", "json", "prometheus" };
    for (int i = 0; i < known; i++) {
        if (strcmp(text, names[i]) == 0) {
            *format = (enum format)i;
            return true;
        }
    }
    complain_usage(command, "unknown output format '%s'; expected table%s%s", text,
                   known == FORMAT_PROMETHEUS + 1 ? ", json" : " or json",
                   known == FORMAT_PROMETHEUS + 1 ? " or prometheus" : "");
    return false;
}

static long long unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    default:
        return 0;
    }
}

bool duration_parse(const char *text, long long *seconds)
{
    const long long most = 100LL * 366 * 86400; /* a century */
    *seconds = 0;
    while (*text) {
        long long number = 0, unit;
        const char *start = text;
        for (; *text >= '0' && *text <= '9' && number <= most; text++)
            number = number * 10 + (*text - '0');
        unit = unit_seconds(*text);
        if (text == start || unit == 0 || number > most / unit)
            return false;
        *seconds += number * unit;
        if (*seconds > most)
            return false;
        text++;
    }
    return *seconds > 0;
}

bool timestamp_parse(const char *text, long long *seconds)
{
    struct tm tm = { 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end || *end)
        return false;
    *seconds = (long long)timegm(&tm);
    return true;
}
