/*
 * drive: asks a server on 127.0.0.1 for the same thing again and again, and tells how that went, in one line:
 *
 *     answers a second, p50, p99 and p99.9 in us, processor time in us an answer, share of handshakes that were resumed
 *
 * What happens before all connections stand, and in the first tenth of the time (or until each
 * connection has answered twice or so), does not count. The processor time is
 * its own and that of the processes named by -p, within that time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"
#include "lines.h"

static int usage(void)
{
    fputs("usage: drive [-c CONNECTIONS] [-t SECONDS] [-r RATE] [-n PIPELINED] [-p PID,PID…] [-e] [-s DIR "
          "[-m]] [-k]\n"
          "             http PORT PATH | get PORT | set PORT\n"
          "  -r  a fixed rate; latencies count from when a request was due\n"
          "  -e  a connection for each request\n"
          "  -s  mutual TLS 1.3, with cert.pem, key.pem and ca.pem of a directory; -m resumes sessions\n"
          "  -k  keeps its connections, once it has told, until standard input ends\n",
          stderr);
    return 2;
}

struct request {
    struct plan plan;
    double seconds;
    unsigned pipelined;
    const char *pids, *tls;
    bool resumes, keeps;
};

static bool read_options(struct request *request, int argc, char **argv)
{
    for (int letter; (letter = getopt(argc, argv, "c:t:r:n:p:s:emk")) != -1;) {
        if (letter == 'c')
            request->plan.connections = (unsigned)strtoul(optarg, NULL, 10);
        else if (letter == 't')
            request->seconds = strtod(optarg, NULL);
        else if (letter == 'r')
            request->plan.rate = strtod(optarg, NULL);
        else if (letter == 'n')
            request->pipelined = (unsigned)strtoul(optarg, NULL, 10);
        else if (letter == 'p')
            request->pids = optarg;
        else if (letter == 's')
            request->tls = optarg;
        else if (letter == 'e')
            request->plan.closes = true;
        else if (letter == 'm')
            request->resumes = true;
        else if (letter == 'k')
            request->keeps = true;
        else
            return false;
    }
    return request->plan.connections > 0 && request->seconds > 0 && request->pipelined > 0;
}

static bool read_question(struct request *request, int count, char **words)
{
    if (count < 2)
        return false;
    request->plan.port = (uint16_t)strtoul(words[1], NULL, 10);
    if (count == 3 && strcmp(words[0], "http") == 0)
        question_http(&request->plan.question, words[2], request->plan.closes);
    else if (count == 2 && (strcmp(words[0], "get") == 0 || strcmp(words[0], "set") == 0))
        question_redis(&request->plan.question, *words[0] == 's', request->pipelined);
    else
        return false;
    return true;
}

static void measure(const struct request *request)
{
    static struct histogram warm, latencies;
    uint64_t ns = (uint64_t)(request->seconds * 1e9), start, processor, resumed;

    do
        lines_run(ns / 10, &warm);
    while (warm.total < 2 * request->plan.connections);
    start = now_ns();
    processor = processor_ns(request->pids) + clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    resumed = channel_resumed();
    lines_run(ns, &latencies);
    processor = processor_ns(request->pids) + clock_ns(CLOCK_PROCESS_CPUTIME_ID) - processor;
    resumed = channel_resumed() - resumed;
    double count = latencies.total ? (double)latencies.total : 1;
    printf("%.1f %.1f %.1f %.1f %.3f %.2f\n", (double)latencies.total * 1e9 / (double)(now_ns() - start),
           histogram_us(&latencies, 0.5), histogram_us(&latencies, 0.99), histogram_us(&latencies, 0.999),
           (double)processor / 1000 / count, (double)resumed / count);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct request request = { .plan = { .connections = 16 }, .seconds = 1, .pipelined = 1, .pids = "" };
    char byte;

    if (!read_options(&request, argc, argv) || !read_question(&request, argc - optind, argv + optind))
        return usage();
    if (request.tls)
        channel_use_tls(request.tls, "TLS_AES_128_GCM_SHA256", request.resumes);
    lines_open(&request.plan);
    measure(&request);
    while (request.keeps && read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
