/* Streams of stdio whose descriptor becomes a connection, or stops being one. */
#include "trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base/banned.h"
#include "scripts.h"

/* Standard descriptor `to` is the connection until it is given back. */
static int take(int to, int fd)
{
    int before = fcntl(to, F_DUPFD, 50);
    dup2(fd, to);
    return before;
}

static void give_back(int to, int before)
{
    dup2(before, to);
    close(before);
}

static void say_everything(int fd)
{
    say_all(fd);
}

/* A pointer that the program has kept from before, as C++'s std::cout does. */
void script_stream_kept_pointer(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        FILE *kept = stdout;
        int before;
        fflush(stdout);
        before = take(STDOUT_FILENO, fd);
        fprintf(kept, "fprintf %d ", 1);
        fputs("fputs ", kept);
        fwrite("fwrite ", 1, 7, kept);
        putc('c', kept);
        fputc('d', kept);
        for (int i = 0; i < 5000; i++) /* more than any buffer; by the compiler, into the buffer */
            putc_unlocked('a' + i % 26, kept);
        fputs_unlocked(" unlocked", kept);
        fflush(kept);
        give_back(STDOUT_FILENO, before);
        fprintf(kept, "and back\n");
        close(fd);
    } else {
        say_everything(fd);
    }
    meet(s);
}

/* What is in the buffer goes where the descriptor leads when it is flushed. */
void script_stream_unflushed(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int before;
        fflush(stdout);
        printf("written before, ");
        before = take(STDOUT_FILENO, fd);
        printf("and after\n");
        fflush(stdout);
        give_back(STDOUT_FILENO, before);
        close(fd);
    } else {
        say_everything(fd);
    }
    meet(s);
}

/* A line goes out at its end where the stream is so set. */
void script_stream_line_by_line(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        char answer[20] = "";
        int before = take(STDOUT_FILENO, fd);
        printf("a line\n"); /* stdout is line-buffered here */
        recv(fd, answer, 2, MSG_WAITALL);
        give_back(STDOUT_FILENO, before);
        say("answer %s", answer);
    } else {
        say_recv(fd, 7, MSG_WAITALL);
        say_send(fd, "ok", 0);
    }
    meet(s);
}

void script_stream_of_a_file(struct side *s)
{
    int fd = connected(s);
    FILE *file = fopen("/dev/null", "w");
    if (s->client) {
        dup2(fd, fileno(file));
        said("fputs", fputs("through the file's stream", file) >= 0);
        said("fflush", fflush(file));
        said("fclose", fclose(file));
        say_send(fd, " and the socket", 0);
        close(fd);
    } else {
        say_everything(fd);
        fclose(file);
    }
    meet(s);
}

/* Input: by libc's functions that mean stdin, by a kept pointer, by getc_unlocked of the compiler's. */
void script_stream_standard_input(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        FILE *kept = stdin;
        char word[20] = "", line[40] = "";
        int number = 0, before = take(STDIN_FILENO, fd), c;
        say("getchar %c", getchar());
        said("scanf", scanf("%19s %d", word, &number));
        say("%s %d", word, number);
        c = getc_unlocked(kept);
        say("getc_unlocked %c", c == '\n' ? '$' : c);
        say("fgets %s", fgets(line, sizeof line, kept) ? "a line" : "nothing");
        say_bytes("of it", (ssize_t)strlen(line), line);
        said("ungetc", ungetc('u', kept));
        say("fread %zu", fread(line, 1, 5, kept));
        say_bytes("of it", 5, line);
        said("getc", getc(kept));
        said("feof", !!feof(kept));
        clearerr(kept);
        give_back(STDIN_FILENO, before);
        said("getchar", getchar());
    } else {
        static const char text[] = "xword 42\nthe line\nread";
        say_send(fd, text, 0);
        shutdown(fd, SHUT_WR);
    }
    meet(s);
}

/* accept gives the lowest number, and that may be standard input. */
void script_stream_accepted_as_input(struct side *s)
{
    if (s->client) {
        int fd = tcp_socket(0);
        say_connect(fd, &s->address);
        say_send(fd, "a line\n", 0);
        say_recv(fd, 100, 0);
    } else {
        char line[40] = "";
        int fd;
        close(STDIN_FILENO);
        fd = accepted(s);
        say("accepted as %d", fd);
        say("fgets %s", fgets(line, sizeof line, stdin) ? "a line" : "nothing");
        say_bytes("of it", (ssize_t)strlen(line), line);
        say_send(fd, "answer", 0);
    }
    meet(s);
}

/* ---- freopen ---- */

static void say_open(const char *call, const FILE *file)
{
    said(call, file ? 0 : -1);
}

/* The connection ends, the number and the stream go on with a file. */
void script_freopen(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        FILE *stream = fdopen(fd, "r+"), *again;
        fputs("before", stream);
        again = freopen("/dev/null", "w", stream);
        say_open("freopen", again);
        say("the same stream %d, the same number %d", again == stream, fileno(stream) == fd);
        said("fputs", fputs("after", stream) >= 0);
        said("fflush", fflush(stream));
        say_send(fd, "x", MSG_NOSIGNAL);
        said("fclose", fclose(stream));
        said("close", close(fd));
    } else {
        say_everything(fd);
    }
    meet(s);
}

void script_freopen_standard_output(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int before = fcntl(STDOUT_FILENO, F_DUPFD, 50), same;
        const FILE *again;
        dup2(fd, STDOUT_FILENO);
        close(fd);
        printf("before ");
        again = freopen("/dev/null", "w", stdout);
        same = again == stdout && fileno(stdout) == STDOUT_FILENO;
        printf("after ");
        fflush(stdout);
        give_back(STDOUT_FILENO, before);
        setvbuf(stdout, NULL, _IOLBF, 0);
        say("the same %d", same);
    } else {
        say_everything(fd);
    }
    meet(s);
}

void script_freopen_fails(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        FILE *stream = fdopen(fd, "w");
        fputs("before", stream);
        say_open("freopen", freopen("/nowhere/at/all", "w", stream));
        say_send(fd, "x", MSG_NOSIGNAL);
    } else {
        say_everything(fd);
    }
    meet(s);
    fd = connected(s);
    if (s->client) {
        FILE *stream = fdopen(fd, "w");
        fputs("before", stream);
        say_open("freopen(NULL)", freopen(NULL, "w", stream));
        say_send(fd, "x", MSG_NOSIGNAL);
    } else {
        say_everything(fd);
    }
    meet(s);
}

/* A stream on a file is opened again on another: nothing of ours is in it. */
void script_freopen_of_a_file(struct side *s)
{
    FILE *file = fopen("/dev/zero", "r"), *again;
    int number = fileno(file);
    say("getc %d", getc(file));
    again = freopen("/dev/null", "r", file);
    say("the same stream %d, the same number %d", again == file, fileno(file) == number);
    said("getc", getc(file));
    said("fclose", fclose(file));
    (void)s;
}

void script_fclose_standard_output(struct side *s)
{
    int fd = connected(s);
    if (s->client) {
        int before = fcntl(STDOUT_FILENO, F_DUPFD, 50), result;
        dup2(fd, STDOUT_FILENO);
        close(fd);
        printf("the last words");
        result = fclose(stdout);
        dup2(before, STDOUT_FILENO);
        stdout = fdopen(STDOUT_FILENO, "w");
        setvbuf(stdout, NULL, _IOLBF, 0);
        said("fclose", result);
    } else {
        say_everything(fd);
    }
    meet(s);
}

/* ---- C++ ---- */

static void *symbol(void *library, const char *name)
{
    void *found = library ? dlsym(library, name) : NULL;
    if (!found)
        fail("no %s in libstdc++.so.6", name);
    return found;
}

/* std::cout and std::cin, called as a C++ compiler does. libstdc++ has kept libc's stdout since before main. */
void script_stream_of_cpp(struct side *s)
{
    static char object[64];
    void *library = dlopen("libstdc++.so.6", RTLD_NOW);
    int fd = connected(s);
    void (*init)(void *self) =
        symbol(library, "_ZNSt8ios_base4InitC1Ev"); /* what <iostream> puts into a program */
    void *cout = symbol(library, "_ZSt4cout"), *cin = symbol(library, "_ZSt3cin");
    void *(*put)(void *stream, const char *text) =
        symbol(library, "_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_PKc");
    void *(*flush)(void *stream) = symbol(library, "_ZNSo5flushEv");
    int (*get)(void *stream) = symbol(library, "_ZNSi3getEv");
    bool (*sync)(bool on) = symbol(library, "_ZNSt8ios_base15sync_with_stdioEb");
    init(object);
    for (int round = 0; round < 2; round++) {
        if (s->client) {
            int before = take(STDOUT_FILENO, fd), input = take(STDIN_FILENO, fd), c;
            put(cout, round ? "with buffers of its own" : "by way of libc's stdout");
            flush(cout);
            c = get(cin);
            give_back(STDOUT_FILENO, before);
            give_back(STDIN_FILENO, input);
            say("get %c", c);
        } else {
            say_recv(fd, 23, MSG_WAITALL);
            say_send(fd, "i", 0);
        }
        meet(s);
        sync(false);
    }
}
