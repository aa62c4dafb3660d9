/*
 * The program that is made to fail: a client or a server that does a little of everything, never ends by itself before its time,
 * and looks whether what it got is what was sent.
 *
 *   subject server                 listens; its port goes to standard output; ends when standard input does
 *   subject client PORT [SCENE]    rounds with faults (usual: with calls that wait, and with events; admin, watch, wide), then one without
 *   subject storm PORT ROUNDS      so many rounds with faults at random, twice; what is held after each must be the same
 *   subject storm PORT ROUNDS server  the same, where the server is the one that fails
 *   subject trials PORT [server]   the trials of the control file, one after the other: see control.h
 *   subject answer FD N            started on a connection: sends N bytes back
 *   subject ask FD N               started on a connection: sends N bytes and wants them back
 *
 * Exit status: 0, the last round was without a fault and all went well; 3, wrong bytes; 4, the last round failed; 5, something is lost.
 * Standard output: "descriptors: …", what is open at the end.
 */
#include "subject.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *own_path;
const char *step = "start";

void wrong(const char *what)
{
    fprintf(stderr, "%s: %s\n", step, what);
    exit(3);
}

static void hangs(int number)
{
    fprintf(stderr, "%s: there is no end\n", step);
    signal(number, SIG_DFL);
    raise(number);
}

int main(int argc, char **argv)
{
    own_path = argv[0];
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, hangs);
    alarm(PATIENCE);
    if (argc == 2 && strcmp(argv[1], "server") == 0)
        return server();
    if (argc >= 3 && strcmp(argv[1], "client") == 0)
        return client(argv[2], argc > 3 ? argv[3] : "usual");
    if (argc >= 4 && strcmp(argv[1], "storm") == 0)
        return storm(argv[2], atoi(argv[3]), argc > 4);
    if (argc >= 3 && strcmp(argv[1], "trials") == 0)
        return trials(argv[2], argc > 3);
    if (argc == 4 && strcmp(argv[1], "answer") == 0)
        return echo(atoi(argv[2]), (size_t)atoi(argv[3])) ? 0 : 1;
    if (argc == 4 && strcmp(argv[1], "ask") == 0)
        return ask(atoi(argv[2]), (size_t)atoi(argv[3])) ? 0 : 1;
    return 2;
}
