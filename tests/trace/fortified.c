/* Built with _FORTIFY_SOURCE: sizes that are not known when compiling go through __recv_chk and its kin. */
#include "trace.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static volatile size_t five = 5, two = 2;

void script_fortified_calls(struct side *s)
{
    int fd = connected(s);
    char text[64] = { 0 };
    struct pollfd p[4] = { { fd, POLLIN, 0 }, { -1, 0, 0 }, { -1, 0, 0 }, { -1, 0, 0 } };
    struct timespec limit = { 8, 0 };
    if (s->client) {
        meet(s);
        said("__poll_chk", poll(p, two, SOON));
        say("events 0x%x", (unsigned)p[0].revents);
        said("__ppoll_chk", ppoll(p, two, &limit, NULL));
        say("events 0x%x", (unsigned)p[0].revents);
        say_bytes("__read_chk", read(fd, text, five), text);
        say_bytes("__recv_chk", recv(fd, text, five, 0), text);
        say_bytes("__recv_chk(PEEK)", recv(fd, text, five * 2, MSG_PEEK), text);
        say_bytes("__recvfrom_chk", recvfrom(fd, text, five * 2, 0, NULL, NULL), text);
        said("__recv_chk", recv(fd, text, five, MSG_DONTWAIT));
        meet(s);
        say_bytes("__recv_chk(end)", recv(fd, text, five, 0), text);
    } else {
        send(fd, "aaaaabbbbbccccc", 15, 0);
        settle(fd);
        meet(s);
        meet(s);
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}
