/* A running HTTP service, asked by plain and by meshed processes of our own, in turn. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "bench.h"
#include "bench_report.h"
#include "command.h"
#include "policy/config.h"
#include "trial.h"

#include "base/banned.h"

struct side {
    const struct target *target;
    const struct meshing *meshing; /* NULL: plain */
    struct load_result sum;        /* of all rounds: counts and latencies */
    double rate[ROUNDS_MOST], p50[ROUNDS_MOST], processor[ROUNDS_MOST];
};

int bench_service_once(const struct bench *bench, int answer)
{
    static struct load_result result;
    const struct load_plan plan = { &bench->target, bench->connections, bench->milliseconds * 1000000,
                                    bench->rate };

    load_run(&plan, &result);
    return write(answer, &result, sizeof result) == (ssize_t)sizeof result ? STATUS_OK : STATUS_PROBLEM;
}

/* Without a service that claims the target, a meshed process would go there in plain text, too. */
static bool is_claimed(const char *config, const struct target *target, struct buf *why)
{
    struct buf problems = BUF_INIT;
    struct snapshot *snapshot = config_load(config, &problems);
    const char *unknown = "";
    struct addrinfo *to = snapshot ? target_resolve(target, &unknown) : NULL;
    const struct service *service =
        to ? snapshot_match(snapshot, to->ai_addr, to->ai_addrlen, target->host) : NULL;
    bool is_claimed = service && service->mtls != MTLS_OFF;

    if (!snapshot)
        buf_printf(why, "%s is not a good configuration; 'meshctl analyze %s' tells more", config, config);
    else if (!to)
        buf_printf(why, "the address of %s is not known (%s); check the name", target->host, unknown);
    else if (!is_claimed)
        buf_printf(
            why,
            "no service of %s claims %s with mutual TLS, so there is nothing to compare; add a section "
            "[service NAME] with host = %s and port = %s, or name another configuration with --config",
            config, target->text, target->host, target->port);
    if (to)
        freeaddrinfo(to);
    snapshot_unref(snapshot);
    buf_free(&problems);
    return is_claimed;
}

static void explain_plain(const struct target *target, const struct load_result *result)
{
    if (result->end == LOAD_CUT || result->end == LOAD_SILENT)
        complain("%s %s a plain request%s%s: it may want mutual TLS of everybody (mtls = strict), and then "
                 "there is no "
                 "plain side to compare with. Set the [inbound] of that port to permissive while you "
                 "measure, or name "
                 "a port of the same service that has mtls = off with --plain HOST:PORT",
                 target->text, result->end == LOAD_CUT ? "cut off" : "does not answer",
                 *result->why ? ", " : "", result->why);
    else if (result->end == LOAD_NO_CONNECTION)
        complain("cannot connect to %s (%s); check that the service runs, and its port", target->text,
                 result->why);
    else if (result->end == LOAD_NOT_HTTP)
        complain("%s does not speak HTTP/1.1; measure a client program of that service instead: meshctl "
                 "bench -- COMMAND",
                 target->text);
    else if (result->end == LOAD_UNKNOWN_HOST)
        complain("the address of %s is not known (%s); check the name", target->host, result->why);
    else
        complain("the requests to %s could not go on (%s); try fewer --connections", target->text,
                 result->why);
}

static void explain_meshed(const struct target *target, const struct load_result *result)
{
    if (result->end == LOAD_NO_CONNECTION || result->end == LOAD_CUT || result->end == LOAD_SILENT)
        complain("a meshed request to %s failed (%s), while plain ones are answered; the log above says why, "
                 "where the library knows: is the server meshed, and does its 'allow' name this workload? "
                 "'meshctl check' looks for more",
                 target->text, *result->why ? result->why : "the connection ended");
    else
        explain_plain(target, result);
}

/* Starts ourselves for one measurement, with the pipe's end that it answers on. */
static bool start(const struct bench *bench, const struct side *side, int answer, struct trial *trial)
{
    char connections[24], duration[40], rate[24],
        address[sizeof side->target->text + sizeof side->target->path];
    char own[] = "/proc/self/exe", word[] = "bench";
    struct buf why = BUF_INIT;
    bool ran;

    snprintf(connections, sizeof connections, "--connections=%u", bench->connections);
    snprintf(duration, sizeof duration, "--duration=%llums", (unsigned long long)bench->milliseconds);
    snprintf(rate, sizeof rate, "--rate=%llu", (unsigned long long)bench->rate);
    snprintf(address, sizeof address, "%s%s", side->target->text, bench->target.path);
    char *arguments[] = {
        own, word, connections, duration, bench->rate ? rate : address, bench->rate ? address : NULL, NULL
    };
    ran = trial_run(arguments, side->meshing, answer, trial, &why);
    if (!ran)
        complain("%s", buf_text(&why));
    buf_free(&why);
    return ran;
}

/* False: said. */
static bool measure(const struct bench *bench, const struct side *side, struct load_result *result)
{
    struct trial trial;
    int ends[2];
    bool ran, answered;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        complain("cannot make a pipe (%m); close some descriptors and try again");
        return false;
    }
    ran = start(bench, side, ends[1], &trial);
    close(ends[1]);
    answered = ran && trial.status == 0 && read(ends[0], result, sizeof *result) == (ssize_t)sizeof *result;
    close(ends[0]);
    if (ran && !answered)
        complain("the process that measures ended with status %d%s; try it again with MESHSHIM_LOG=debug",
                 trial.status, side->meshing ? ", meshed" : "");
    if (answered && result->end != LOAD_DONE)
        (side->meshing ? explain_meshed : explain_plain)(side->target, result);
    return answered && result->end == LOAD_DONE;
}

static bool take(const struct bench *bench, struct side *side, size_t round)
{
    static struct load_result result;

    if (!measure(bench, side, &result))
        return false;
    side->rate[round] = (double)result.answers * 1e9 / (double)result.elapsed_ns;
    side->p50[round] = (double)histogram_quantile(&result.latency, 0.5);
    side->processor[round] = (double)result.processor_ns / (double)result.answers;
    side->sum.answers += result.answers;
    side->sum.errors += result.errors;
    side->sum.connections += result.connections;
    histogram_add(&side->sum.latency, &result.latency);
    return true;
}

static void fill(struct series *series, const double *plain, const double *meshed, size_t rounds)
{
    series->rounds = rounds;
    memcpy(series->plain, plain, rounds * sizeof *plain);
    memcpy(series->meshed, meshed, rounds * sizeof *meshed);
}

static struct measured quantile(const char *name, const char *key, double q, const struct side *plain,
                                const struct side *meshed)
{
    return (struct measured){ name, key, MEASURE_NS, (double)histogram_quantile(&plain->sum.latency, q),
                              (double)histogram_quantile(&meshed->sum.latency, q) };
}

static void report(const struct bench *bench, const struct side *plain, const struct side *meshed)
{
    struct series rate, p50, processor;
    struct comparison rates, processors;
    char subject[sizeof bench->target.text + 64];

    fill(&rate, plain->rate, meshed->rate, bench->rounds);
    fill(&p50, plain->p50, meshed->p50, bench->rounds);
    fill(&processor, plain->processor, meshed->processor, bench->rounds);
    comparison_of(&rate, &rates);
    comparison_of(&processor, &processors);
    const struct measured rows[] = {
        { "requests a second", "requests_per_second", MEASURE_COUNT, rates.plain, rates.meshed },
        quantile("latency p50", "p50_us", 0.5, plain, meshed),
        quantile("latency p90", "p90_us", 0.9, plain, meshed),
        quantile("latency p99", "p99_us", 0.99, plain, meshed),
        quantile("latency p99.9", "p999_us", 0.999, plain, meshed),
        { "client's processor time", "client_processor_us", MEASURE_NS, processors.plain, processors.meshed },
        { "answers", "answers", MEASURE_COUNT, (double)plain->sum.answers, (double)meshed->sum.answers },
        { "of them 4xx and 5xx", "errors", MEASURE_COUNT, (double)plain->sum.errors,
          (double)meshed->sum.errors },
        { "connections", "connections", MEASURE_COUNT, (double)plain->sum.connections,
          (double)meshed->sum.connections },
    };
    snprintf(subject, sizeof subject, bench->rate ? "half of the answers of %s come" : "%s answers",
             bench->target.text);
    if (bench->rate)
        bench_report(bench->format, bench->target.text, rows, sizeof rows / sizeof *rows, &p50, MEASURE_NS,
                     &(struct claim){ subject, "later", "sooner", "as soon as plain" });
    else
        bench_report(bench->format, bench->target.text, rows, sizeof rows / sizeof *rows, &rate,
                     MEASURE_COUNT,
                     &(struct claim){ subject, "more requests a second", "fewer requests a second",
                                      "as many requests a second as plain" });
    if (bench->format == FORMAT_TABLE && 2 * meshed->sum.connections > meshed->sum.answers)
        puts("It ends its connections after an answer, so nearly every request paid for a handshake; a "
             "service "
             "that keeps them\npays once a connection.");
}

int bench_service(const struct bench *bench)
{
    static struct side plain, meshed;
    struct launch launch = {
        .config = bench->config, .library = bench->library, .must_mesh = true, .program = "/proc/self/exe"
    };
    struct meshing meshing;
    struct buf why = BUF_INIT;
    bool done = launch_prepare(&launch, &meshing, &why) && is_claimed(meshing.config, &bench->target, &why);

    if (!done)
        complain("%s", buf_text(&why));
    buf_free(&why);
    plain.target = bench->has_plain ? &bench->plain : &bench->target;
    meshed.target = &bench->target;
    meshed.meshing = &meshing;
    for (size_t round = 0; done && round < bench->rounds; round++)
        done = take(bench, &plain, round) && take(bench, &meshed, round);
    if (!done)
        return STATUS_PROBLEM;
    report(bench, &plain, &meshed);
    return STATUS_OK;
}
