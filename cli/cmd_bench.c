/* meshctl bench: what meshing costs a service of one's own, or a command, plain and meshed in turn. */
#include "bench.h"
#include "commands.h"
#include "trial.h"

#include "base/banned.h"

enum { CONNECTIONS_MOST = 10000, RATE_MOST = 10000000, SECONDS_MOST = 3600 };

static bool read_number(const struct command *self, const char *option, const char *text, unsigned long least,
                        unsigned long most, unsigned long *number)
{
    char *end;
    *number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && *number >= least && *number <= most)
        return true;
    complain_usage(self, "--%s %s: expected a number from %lu to %lu", option, text, least, most);
    return false;
}

static bool read_target(const struct command *self, const char *text, struct target *target)
{
    if (target_parse(text, target))
        return true;
    complain_usage(self, "'%s' is not HOST:PORT[/path]; put '--' in front of a command", text);
    return false;
}

/* "5s", as everywhere, or "200ms". */
static bool read_duration(const struct command *self, const char *text, uint64_t *milliseconds)
{
    long long seconds;
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*text >= '0' && *text <= '9' && strcmp(end, "ms") == 0 && number > 0 &&
        number <= SECONDS_MOST * 1000UL) {
        *milliseconds = number;
        return true;
    }
    if (duration_parse(text, &seconds) && seconds <= SECONDS_MOST) {
        *milliseconds = (uint64_t)seconds * 1000;
        return true;
    }
    complain_usage(self, "--duration %s: expected up to an hour, such as 5s or 200ms", text);
    return false;
}

static bool take_option(const struct command *self, int letter, const char *value, struct bench *bench)
{
    unsigned long number = 0;
    bool is_good = true;

    if (letter == 'c')
        bench->config = value;
    else if (letter == 'l')
        bench->library = value;
    else if (letter == 'p')
        is_good = bench->has_plain = read_target(self, value, &bench->plain);
    else if (letter == 'd')
        is_good = read_duration(self, value, &bench->milliseconds);
    else if (letter == 'o')
        is_good = format_parse(self, value, FORMAT_JSON + 1, &bench->format);
    else if (letter == 'n' &&
             (is_good = read_number(self, "connections", value, 1, CONNECTIONS_MOST, &number)))
        bench->connections = (unsigned)number;
    else if (letter == 'r' && (is_good = read_number(self, "rate", value, 1, RATE_MOST, &number)))
        bench->rate = number;
    else if (letter == 'k' &&
             (is_good = read_number(self, "rounds", value, ROUNDS_LEAST, ROUNDS_MOST, &number)))
        bench->rounds = (unsigned)number;
    return is_good;
}

static int run_on(const struct command *self, const struct options *o, struct bench *bench)
{
    const char *answer = getenv(TRIAL_FD);
    char **rest = o->argv + o->first;

    if (!rest[0])
        return complain_usage(self, "a target is missing: HOST:PORT[/path], or -- COMMAND");
    if (strcmp(rest[-1], "--") == 0)
        return bench_command(bench, rest);
    if (!read_target(self, rest[0], &bench->target) || !options_at_most(o, 1))
        return STATUS_USAGE;
    return answer ? bench_service_once(bench, (int)strtol(answer, NULL, 10)) : bench_service(bench);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct bench bench = { .connections = 16, .rounds = 5, .milliseconds = 1000 };
    struct options o;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter == OPTION_HELP || letter == OPTION_WRONG || letter == ':')
            return options_stop(&o, letter);
        if (!take_option(self, letter, o.value, &bench))
            return STATUS_USAGE;
    }
    return run_on(self, &o, &bench);
}

static const struct option_row rows[] = {
    { 'c', "config", "FILE",
      "the client's configuration (default $MESHSHIM_CONFIG, else /etc/meshshim/mesh.ini)" },
    { 'l', "library", "FILE", "libmeshshim.so, where it is not beside meshctl or in ../lib" },
    { 'n', "connections", "N", "connections at once (default 16)" },
    { 'd', "duration", "DURATION", "of each measurement (default 1s)" },
    { 'r', "rate", "N",
      "requests a second; latencies are then what is compared (default: as many as will go)" },
    { 'k', "rounds", "N", "rounds, each plain and meshed (default 5)" },
    { 'p', "plain", "HOST:PORT", "where plain requests go, where the service itself is strict" },
    { 'o', "output", "FORMAT", "table (default) or json" },
    { 0 },
};

const struct command command_bench = {
    "bench",
    "HOST:PORT[/path] | -- COMMAND [ARGUMENT…]",
    "Compares plain and meshed: a running HTTP service, or a command",
    "A service is asked again and again on connections that are kept, by processes that are plain and meshed "
    "in\n"
    "turn; it must serve both, so its port is permissive meanwhile, or --plain names a port of it that has\n"
    "mtls = off. At a fixed --rate a latency counts from when a request was due. A command is run with and\n"
    "without the library in turn, with its output dropped, and its time is what is compared; --rounds is "
    "how\n"
    "often. Then a sentence says what the difference is, or that it is smaller than the noise.",
    rows,
    run,
    true,
};
