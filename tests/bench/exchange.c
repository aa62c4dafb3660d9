/*
 * exchange ROUNDS BYTES: one thread that is both ends of a connection sends itself a message of so many bytes, there and back, so often.
 * Nothing in it depends on time, so a round is always as many instructions: see tests/integration/instructions.sh.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 1 << 16, WARMING = 4 };

static char message[MOST], answer[MOST];

static void pass(int from, int to, size_t n)
{
    size_t got = 0;
    ssize_t now = write(from, message, n);
    if (now != (ssize_t)n)
        exit(1);
    while (got < n && (now = read(to, answer, sizeof answer)) > 0)
        got += (size_t)now;
    if (got < n)
        exit(1);
}

/* What is counted. */
__attribute__((noinline)) void exchange(int one, int other, size_t n);
void exchange(int one, int other, size_t n)
{
    pass(one, other, n);
    pass(other, one, n);
}

/* Both ends of a connection to ourselves. */
static void meet(int *one, int *other)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    *one = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&at, &length) != 0 ||
        connect(*one, (struct sockaddr *)&at, sizeof at) != 0 ||
        (*other = accept(listener, NULL, NULL)) < 0) {
        perror("exchange");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    long rounds = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : MOST + 1;
    int one, other;
    if (n > MOST)
        return 2;
    alarm(120);
    meet(&one, &other);
    for (int i = 0; i < WARMING; i++) {
        pass(one, other, n);
        pass(other, one, n);
    }
    while (rounds-- > 0)
        exchange(one, other, n);
    return 0;
}
