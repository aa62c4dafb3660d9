/*
 * badpeer: one hostile (or odd, or honest) peer.
 *
 *   badpeer --list [--role client|server] [--few]               few: not those of which there are many of a kind
 *   badpeer --identities DIR                                    make certificates, good and bad
 *   badpeer --more-identities DIR                               and many more bad ones
 *   badpeer --role client|server --port N --ca DIR --case NAME  as client: one connection, then the end
 *           [--wire FILE] [--until FILE] [--count N]            as server: every connection, until killed
 *   badpeer --role client --port N --hold N --until FILE        N silent connections
 */
#include "bad.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

struct job {
    const struct options *options;
    const struct bad_case *which;
    int fd;
};

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int dial(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) {
        fprintf(stderr, "badpeer: cannot connect to port %d: %s\n", port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

int peer_connect(struct peer *peer)
{
    peer->fd = dial(peer->options->port);
    return peer->fd < 0;
}

/* The victim names its peers by their port. */
static void say_port(int fd)
{
    struct sockaddr_in address = { 0 };
    socklen_t length = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &length);
    say("port %d", ntohs(address.sin_port));
}

static void run(const struct options *o, const struct bad_case *which, int fd)
{
    struct peer peer = { .options = o, .fd = fd, .alert = -1 };
    which->run(&peer);
    say("alert %s", alert_name(peer.alert));
    peer_stop(&peer);
}

static int be_client(const struct options *o, const struct bad_case *which)
{
    int fd = dial(o->port);
    if (fd < 0)
        return 1;
    say_port(fd);
    run(o, which, fd);
    return 0;
}

static void *serve(void *argument)
{
    struct job job = *(struct job *)argument;
    free(argument);
    run(job.options, job.which, job.fd);
    return NULL;
}

static int be_server(const struct options *o, const struct bad_case *which)
{
    struct sockaddr_in address = loopback(o->port);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) {
        fprintf(stderr, "badpeer: cannot listen on port %d: %s\n", o->port, strerror(errno));
        return 1;
    }
    for (;;) {
        struct job *job = malloc(sizeof *job);
        pthread_t thread;
        *job = (struct job){ o, which, accept(listener, NULL, NULL) };
        if (job->fd < 0 || pthread_create(&thread, NULL, serve, job)) {
            free(job);
            return 1;
        }
        pthread_detach(thread);
    }
}

/* Connections that say nothing, until a file exists; then how many the victim has ended. */
static int hold(const struct options *o)
{
    struct rlimit many = { 8192, 8192 };
    struct pollfd *p = calloc((size_t)o->count, sizeof *p);
    int ended = 0;
    setrlimit(RLIMIT_NOFILE, &many);
    for (int i = 0; i < o->count; i++) {
        p[i] = (struct pollfd){ dial(o->port), POLLIN, 0 };
        if (p[i].fd < 0)
            return 1;
    }
    say("holding %d", o->count);
    while (access(o->until, F_OK) != 0)
        poll(NULL, 0, 20);
    poll(p, (nfds_t)o->count, 0);
    for (int i = 0; i < o->count; i++) {
        ended += p[i].revents != 0;
        close(p[i].fd);
    }
    say("ended %d", ended);
    free(p);
    return 0;
}

static const struct bad_case *find(const char *name)
{
    for (size_t i = 0; name && i < bad_case_count; i++)
        if (strcmp(bad_cases[i].name, name) == 0)
            return &bad_cases[i];
    return NULL;
}

static int list(bool clients, bool servers, bool few)
{
    for (size_t i = 0; i < bad_case_count; i++)
        if (!(few && bad_cases[i].of_many) &&
            ((clients && bad_cases[i].as_client) || (servers && bad_cases[i].as_server)))
            puts(bad_cases[i].name);
    return 0;
}

static int usage(const char *what)
{
    fprintf(stderr, "badpeer: %s; see the head of tests/peers/bad_main.c\n", what);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "role", 1, NULL, 'r' }, { "port", 1, NULL, 'p' },       { "ca", 1, NULL, 'a' },
        { "case", 1, NULL, 'c' }, { "wire", 1, NULL, 'w' },       { "until", 1, NULL, 'u' },
        { "hold", 1, NULL, 'h' }, { "identities", 1, NULL, 'i' }, { "more-identities", 1, NULL, 'm' },
        { "list", 0, NULL, 'l' }, { "few", 0, NULL, 'f' },        { NULL, 0, NULL, 0 }
    };
    struct options o = { 0 };
    const char *role = NULL, *name = NULL;
    const struct bad_case *which;
    bool listing = false, few = false;
    int c;
    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'r':
            role = optarg;
            break;
        case 'p':
            o.port = (int)strtol(optarg, NULL, 10);
            break;
        case 'a':
            o.ca = optarg;
            break;
        case 'c':
            name = optarg;
            break;
        case 'w':
            o.wire = optarg;
            break;
        case 'u':
            o.until = optarg;
            break;
        case 'h':
            o.count = (int)strtol(optarg, NULL, 10);
            break;
        case 'i':
            return make_identities(optarg) ? 1 : 0;
        case 'm':
            return make_more_identities(optarg) ? 1 : 0;
        case 'f':
            few = true;
            break;
        case 'l':
            listing = true;
            break;
        default:
            return usage("an option that is not known");
        }
    }
    o.server = role && strcmp(role, "server") == 0;
    if (listing)
        return list(!role || !o.server, !role || o.server, few);
    if (o.count > 0)
        return o.until ? hold(&o) : usage("--hold needs --until");
    which = find(name);
    if (!which || !role || !o.ca || o.port <= 0)
        return usage("--role, --port, --ca and a --case of --list are needed");
    return o.server ? be_server(&o, which) : be_client(&o, which);
}
