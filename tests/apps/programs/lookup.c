/*
 * A client that looks a name up by the call that it is told, and asks the address for a file by HTTP.
 *
 *   lookup CALL NAME PORT PATH
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

static char room[8192];
static struct hostent space;

static const void *first_of(const struct hostent *host)
{
    return host && host->h_addrtype == AF_INET ? host->h_addr_list[0] : NULL;
}

static const void *by_name(const char *name)
{
    return first_of(gethostbyname(name));
}

static const void *by_name2(const char *name)
{
    return first_of(gethostbyname2(name, AF_INET));
}

static const void *by_name_r(const char *name)
{
    struct hostent *host = NULL;
    int error, failed = gethostbyname_r(name, &space, room, 8, &host, &error);
    if (failed != ERANGE) /* 8 bytes are too few for any answer */
        return NULL;
    failed = gethostbyname_r(name, &space, room, sizeof room, &host, &error);
    return failed ? NULL : first_of(host);
}

static const void *by_name2_r(const char *name)
{
    struct hostent *host = NULL;
    int error, failed = gethostbyname2_r(name, AF_INET, &space, room, sizeof room, &host, &error);
    return failed ? NULL : first_of(host);
}

static const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
static struct gaicb request = { .ar_request = &hints };

static const void *of_request(void)
{
    return request.ar_result
               ? &((const struct sockaddr_in *)(const void *)request.ar_result->ai_addr)->sin_addr
               : NULL;
}

static const void *by_request(const char *name)
{
    struct gaicb *list[] = { &request };
    request.ar_name = name;
    return getaddrinfo_a(GAI_WAIT, list, 1, NULL) == 0 ? of_request() : NULL;
}

static const void *by_request_suspended(const char *name)
{
    struct gaicb *list[] = { NULL, &request };
    request.ar_name = name;
    if (getaddrinfo_a(GAI_NOWAIT, list + 1, 1, NULL) != 0)
        return NULL;
    while (gai_suspend((const struct gaicb *const *)list, 2, NULL) == EAI_INTR)
        continue;
    return of_request();
}

static const void *by_request_asked(const char *name)
{
    struct gaicb *list[] = { &request };
    struct timespec tick = { 0, 1000000 };
    request.ar_name = name;
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0)
        return NULL;
    while (gai_error(&request) == EAI_INPROGRESS)
        nanosleep(&tick, NULL);
    return gai_error(&request) == 0 ? of_request() : NULL;
}

static const struct call {
    const char *name;
    const void *(*look_up)(const char *name);
} calls[] = {
    { "gethostbyname", by_name },      { "gethostbyname2", by_name2 },
    { "gethostbyname_r", by_name_r },  { "gethostbyname2_r", by_name2_r },
    { "getaddrinfo_a", by_request },   { "gai_suspend", by_request_suspended },
    { "gai_error", by_request_asked },
};

static const void *look_up(const char *call, const char *name)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(calls[i].name, call) == 0)
            return calls[i].look_up(name);
    return NULL;
}

/* The body of the answer goes to standard output. */
static int fetch(int fd, const char *path)
{
    char answer[65536];
    size_t n = 0;
    ssize_t got;
    const char *body;
    if (dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path) < 0)
        return 1;
    while (n < sizeof answer - 1 && (got = recv(fd, answer + n, sizeof answer - 1 - n, 0)) > 0)
        n += (size_t)got;
    answer[n] = '\0';
    body = memmem(answer, n, "\r\n\r\n", 4);
    if (!body)
        return 1;
    body += 4;
    return fwrite(body, 1, n - (size_t)(body - answer), stdout) == 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    const void *found;
    int fd;
    if (argc != 5) {
        fprintf(stderr, "usage: lookup CALL NAME PORT PATH\n");
        return 2;
    }
    found = look_up(argv[1], argv[2]);
    if (!found) {
        fprintf(stderr, "lookup: %s does not know %s\n", argv[1], argv[2]);
        return 1;
    }
    memcpy(&address.sin_addr, found, sizeof address.sin_addr);
    address.sin_port = htons((uint16_t)strtol(argv[3], NULL, 10));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        perror("lookup: connect");
        return 1;
    }
    return fetch(fd, argv[4]);
}
