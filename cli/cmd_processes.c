/* meshctl connections, identity, config, reload: one question to the socket of each meshed process. */
#include "client.h"
#include "commands.h"
#include "json_view.h"
#include "options.h"
#include "render.h"
#include "runtime.h"
#include "stats/json.h"

#include "base/banned.h"

struct question {
    const char *method, *path;
};

struct request {
    struct question question;
    const char *runtime_dir, *socket;
    enum format format;
    bool verbose;
    size_t answered, failed, stale;
    struct json_stream json;
};

static void name_of(const struct process *process, char *name, size_t room)
{
    char path[64];
    FILE *file;

    snprintf(name, room, "?");
    snprintf(path, sizeof path, "/proc/%d/comm", process->pid);
    file = process->pid ? fopen(path, "re") : NULL;
    if (!file)
        return;
    if (fgets(name, (int)room, file))
        name[strcspn(name, "\n")] = '\0';
    fclose(file);
}

static void show_table(const struct process *process, const struct buf *body)
{
    struct json *json = json_parse(buf_text(body), body->length);
    char name[64];

    name_of(process, name, sizeof name);
    fputs(render_colour(BOLD), stdout);
    if (process->pid)
        printf("process %d (", process->pid);
    render_text(process->pid ? name : process->socket);
    printf("%s%s\n", process->pid ? ")" : "", render_colour(PLAIN));
    if (json)
        json_view(json, 2);
    else
        render_text(buf_text(body)), putchar('\n');
    json_free(json);
}

/* A value that is JSON already. */
static void add_raw(struct json_stream *stream, const char *key, const struct buf *value)
{
    buf_printf(stream->out, "%s\"%s\":%s", stream->comma ? "," : "", key, buf_text(value));
    stream->comma = true;
}

/* The answer as it came where it is JSON, else as a string: the whole stays JSON. */
static void show_json(struct request *request, const struct process *process, const struct buf *body)
{
    struct json *json = json_parse(buf_text(body), body->length);
    json_begin_object(&request->json, NULL);
    if (process->pid)
        json_add_uint(&request->json, "pid", (uint64_t)process->pid);
    json_add_string(&request->json, "socket", process->socket);
    if (json)
        add_raw(&request->json, "answer", body);
    else
        json_add_string(&request->json, "answer", buf_text(body));
    json_end_object(&request->json);
    json_free(json);
}

static void show(struct request *request, const struct process *process, const struct buf *body)
{
    if (request->format == FORMAT_JSON)
        show_json(request, process, body);
    else
        show_table(process, body);
}

static void trim(struct buf *body)
{
    while (body->length > 0 && strchr("\r\n", body->data[body->length - 1]))
        body->data[--body->length] = '\0';
}

/* Why it refused: the answer's own "error" where it has one. */
static void tell_refusal(const struct process *process, const struct reply *reply)
{
    struct json *json = json_parse(buf_text(&reply->body), reply->body.length);
    const char *error = json_text(json, "error");
    const char *text = *error ? error : buf_text(&reply->body);
    size_t length = strlen(text);

    while (length > 0 && text[length - 1] == '\n')
        length--;
    complain("%s refused (status %d): %.*s", process->socket, reply->status, (int)length, text);
    json_free(json);
}

/* Whether the process has ended, or has executed another program, which has no socket before it has a meshed one. */
static void tell_stale(const struct process *process)
{
    char name[64];
    name_of(process, name, sizeof name);
    if (strcmp(name, "?") == 0)
        complain("%s is stale: its process has gone", process->socket);
    else
        complain("%s is stale: process %d is %s now, which has opened no meshed socket of its own",
                 process->socket, process->pid, name);
}

static void ask(struct request *request, const struct process *process)
{
    struct buf why = BUF_INIT;
    struct reply reply;
    enum client_result result =
        client_request(process->socket, request->question.method, request->question.path, &reply, &why);

    trim(&reply.body);
    if (result == CLIENT_STALE && !request->socket) {
        request->stale++;
        if (request->verbose)
            tell_stale(process);
    } else if (result != CLIENT_OK) {
        request->failed++;
        complain("%s", buf_text(&why));
    } else if (reply.status != 200) {
        request->failed++;
        tell_refusal(process, &reply);
    } else {
        request->answered++;
        show(request, process, &reply.body);
    }
    buf_free(&reply.body);
    buf_free(&why);
}

static void ask_all(struct request *request, const char *directory)
{
    size_t count = 0;
    struct process *processes = runtime_processes(directory, &count);
    for (size_t i = 0; i < count; i++)
        ask(request, &processes[i]);
    free(processes);
}

static void ask_one(struct request *request)
{
    struct process process = { 0, "" };
    snprintf(process.socket, sizeof process.socket, "%s", request->socket);
    ask(request, &process);
}

/* Around the answers: the JSON's frame, or the sentence that there are none. */
static int ask_and_tell(struct request *request, const char *directory)
{
    struct buf out = BUF_INIT;
    request->json = json_stream_to(&out);
    json_begin_object(&request->json, NULL);
    json_begin_array(&request->json, "processes");
    if (request->socket)
        ask_one(request);
    else
        ask_all(request, directory);
    json_end_array(&request->json);
    json_end_object(&request->json);
    if (request->format == FORMAT_JSON)
        printf("%s\n", buf_text(&out));
    buf_free(&out);
    if (request->answered == 0 && request->failed == 0)
        complain("no meshed process is running in %s; --runtime-dir or --socket looks elsewhere", directory);
    return request->failed || request->answered == 0 ? STATUS_PROBLEM : STATUS_OK;
}

static int run_checked(struct request *request)
{
    char directory[PATH_MAX] = "";
    struct buf why = BUF_INIT;
    int status = STATUS_PROBLEM;

    if (request->socket || runtime_dir_find(request->runtime_dir, directory, &why))
        status = ask_and_tell(request, directory);
    else
        complain("%s", buf_text(&why));
    buf_free(&why);
    return status;
}

static int run_question(const struct command *self, int argc, char **argv, struct question question)
{
    struct request request = { .question = question };
    struct options o;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter == 'd')
            request.runtime_dir = o.value;
        else if (letter == 's')
            request.socket = o.value;
        else if (letter == 'v')
            request.verbose = true;
        else if (letter != 'o')
            return options_stop(&o, letter);
        else if (!format_parse(self, o.value, FORMAT_JSON + 1, &request.format))
            return STATUS_USAGE;
    }
    if (!options_at_most(&o, 0))
        return STATUS_USAGE;
    if (request.socket && request.runtime_dir)
        return complain_usage(self, "--socket and --runtime-dir exclude each other");
    return run_checked(&request);
}

static const struct option_row rows[] = {
    { 'o', "output", "FORMAT", "table (default) or json" },
    { 'd', "runtime-dir", "DIR", "the processes of that directory" },
    { 's', "socket", "FILE", "this process's socket alone" },
    { 'v', "verbose", NULL, "tell also of sockets that nobody answers on any more" },
    { 0 },
};

#define QUESTION(name, method, path, summary, details)                                                       \
    static int run_##name(const struct command *self, int argc, char **argv)                                 \
    {                                                                                                        \
        return run_question(self, argc, argv, (struct question){ method, path });                            \
    }                                                                                                        \
    const struct command command_##name = { #name, "", summary, details, rows, run_##name, false };

QUESTION(connections, "GET", "/connections", "The connections of each meshed process now", "")
QUESTION(identity, "GET", "/identity", "Who each meshed process is, and until when",
         "What the process has loaded, which may be older than the files: 'meshctl check' judges those.")
QUESTION(config, "GET", "/config", "The configuration that each meshed process has in force",
         "It may be older than the file: an invalid one changes nothing.")
QUESTION(reload, "POST", "/reload", "Each meshed process reads its configuration and identity again",
         "A process whose new configuration is invalid keeps the last good one and says why.")
