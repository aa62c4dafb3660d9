/* stdio on a socket: libc reads and writes by itself, and must not be seen to do so in the clear. */
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"
#include "scripts.h"

static void say_line(FILE *stream)
{
    char line[100] = "";
    say("fgets %s", fgets(line, sizeof line, stream) ? "a line" : "nothing");
    say_bytes("of it", (ssize_t)strlen(line), line);
}

void script_stdio_fdopen(struct side *s)
{
    int fd = connected(s);
    FILE *stream = fdopen(fd, "r+");
    if (!stream)
        fail("fdopen");
    said("fileno is the descriptor", fileno(stream) == fd);
    if (s->client) {
        fprintf(stream, "line %d\n", 1);
        fputs("line 2\n", stream);
        said("fflush", fflush(stream));
        say_line(stream);
        said("fclose", fclose(stream));
    } else {
        say_line(stream);
        say_line(stream);
        fseek(stream, 0, SEEK_CUR); /* from reading to writing */
        fputs("answer\n", stream);
        said("fflush", fflush(stream));
        say_line(stream);
        fclose(stream);
    }
    meet(s);
}

void script_stdio_dprintf(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        said("dprintf", dprintf(fd, "%s %d", "number", 7));
        close(fd);
    } else {
        say_all(fd);
    }
    meet(s);
}

/* bash and inetd's children: standard output becomes the socket, and then what it was. */
void script_stdio_standard_output(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int before;
        fflush(stdout);
        before = dup(STDOUT_FILENO);
        dup2(fd, STDOUT_FILENO);
        printf("by printf ");
        puts("by puts");
        fflush(stdout);
        dup2(before, STDOUT_FILENO);
        close(before);
        said("back", 0);
        close(fd);
    } else {
        say_all(fd);
    }
    meet(s);
}
