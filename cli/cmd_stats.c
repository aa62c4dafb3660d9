/* meshctl stats: the golden metrics, by direction, service and peer. */
#include <unistd.h>

#include "client.h"
#include "commands.h"
#include "options.h"
#include "render.h"
#include "runtime.h"
#include "stats/stats.h"
#include "stats_table.h"

#include "base/banned.h"

enum { OPTION_INTERVAL = 256 };

struct request {
    const char *runtime_dir, *socket;
    enum format format;
    bool watch;
    long long interval;
};

static bool fetch_from_socket(const struct request *request, struct buf *out, struct buf *why)
{
    const char *path = request->format == FORMAT_PROMETHEUS ? "/metrics" : "/stats";
    struct reply reply;
    enum client_result result = client_request(request->socket, "GET", path, &reply, why);

    if (result == CLIENT_OK && reply.status == 200)
        buf_append(out, reply.body.data, reply.body.length);
    else if (result == CLIENT_OK)
        buf_printf(why, "%s answered %s with status %d; is it a meshed process's socket", request->socket,
                   path, reply.status);
    else if (result == CLIENT_STALE)
        buf_puts(why, "; is the process still running");
    buf_free(&reply.body);
    return result == CLIENT_OK && reply.status == 200;
}

static bool fetch(const struct request *request, const char *directory, struct buf *out, struct buf *why)
{
    if (request->socket)
        return fetch_from_socket(request, out, why);
    if (request->format == FORMAT_PROMETHEUS)
        stats_write_prometheus(directory, out);
    else
        stats_write_json(directory, out);
    if (out->failed)
        buf_puts(why, "out of memory while reading the statistics; free some and try again");
    return !out->failed;
}

static void write_text(const struct buf *text)
{
    fwrite(buf_text(text), 1, text->length, stdout);
    if (text->length > 0 && text->data[text->length - 1] != '\n')
        putchar('\n');
}

/* One round: fetch, then print in the form that was asked for. */
static int show(const struct request *request, const char *directory)
{
    struct buf text = BUF_INIT, why = BUF_INIT;
    const char *where = request->socket ? request->socket : directory;
    bool good = fetch(request, directory, &text, &why);

    if (good && request->watch && isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout);
    if (good && request->format == FORMAT_TABLE)
        good = stats_table_write(&text, where, &why);
    else if (good)
        write_text(&text);
    if (!good)
        complain("%s", buf_text(&why));
    buf_free(&text);
    buf_free(&why);
    return good ? STATUS_OK : STATUS_PROBLEM;
}

static int watch(const struct request *request, const char *directory)
{
    for (;;) {
        int status = show(request, directory);
        if (fflush(stdout) != 0 || status != STATUS_OK)
            return STATUS_PROBLEM;
        sleep((unsigned)request->interval);
        if (!isatty(STDOUT_FILENO) && request->format == FORMAT_TABLE)
            putchar('\n');
    }
}

static int run_checked(const struct request *request)
{
    char directory[PATH_MAX] = "";
    struct buf why = BUF_INIT;

    if (!request->socket && !runtime_dir_find(request->runtime_dir, directory, &why)) {
        complain("%s", buf_text(&why));
        buf_free(&why);
        return STATUS_PROBLEM;
    }
    buf_free(&why);
    return request->watch ? watch(request, directory) : show(request, directory);
}

/* One option; false where it was wrong and that was said. */
static bool take(struct request *request, const struct options *o, int letter)
{
    if (letter == 'd')
        request->runtime_dir = o->value;
    else if (letter == 's')
        request->socket = o->value;
    else if (letter == 'w')
        request->watch = true;
    else if (letter == 'o')
        return format_parse(o->command, o->value, FORMAT_PROMETHEUS + 1, &request->format);
    else if (letter == OPTION_INTERVAL && !duration_parse(o->value, &request->interval)) {
        complain_usage(o->command, "'%s' is not a duration such as 1s", o->value);
        return false;
    }
    return true;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct request request = { .interval = 1 };
    struct options o;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter == OPTION_HELP || letter == OPTION_WRONG || letter == ':')
            return options_stop(&o, letter);
        if (!take(&request, &o, letter))
            return STATUS_USAGE;
    }
    if (!options_at_most(&o, 0))
        return STATUS_USAGE;
    if (request.socket && request.runtime_dir)
        return complain_usage(self, "--socket and --runtime-dir exclude each other");
    return run_checked(&request);
}

static const struct option_row rows[] = {
    { 'w', "watch", NULL, "again and again, until interrupted" },
    { OPTION_INTERVAL, "interval", "DURATION", "how long --watch waits in between (default 1s)" },
    { 'o', "output", "FORMAT", "table (default), json or prometheus" },
    { 'd', "runtime-dir", "DIR", "the mesh whose counters are in that directory" },
    { 's', "socket", "FILE", "ask this process's socket instead" },
    { 0 },
};

const struct command command_stats = {
    "stats",
    "",
    "Golden metrics by direction, service and peer",
    "A row for each direction, service and proven peer, finished programs included. RECORDS: who seals and\n"
    "opens them, the program (user) or the kernel; RESUMED: connections that did without certificates, for "
    "an\n"
    "earlier one had shown them. HANDSHAKE is the median time of a TLS handshake; P50 to P99.9 are quantiles "
    "of\n"
    "the turnaround: last byte written to first byte back for outbound connections, last byte received to "
    "first\n"
    "byte answered for inbound ones.\n"
    "Failures are told by reason under their row. A row with SECURITY none is what a permissive port let "
    "pass,\n"
    "not meshed yet; under it stands how much of that was plain text and how much the program's own TLS, "
    "whose\n"
    "bytes nobody counts. -o json prints what the socket's /stats gives, -o prometheus what /metrics gives.",
    rows,
    run,
    false,
};
