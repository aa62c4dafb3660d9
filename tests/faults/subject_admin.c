/* What an administrator does: reads every page of the process itself, has it reload, and changes the configuration that it watches. */
#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NOTICED = 30 }; /* times 100 ms: the library watches after a second */

static int knock(void)
{
    const char *directory = getenv("MESHSHIM_RUNTIME_DIR");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%d.sock", directory ? directory : "", getpid());
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

enum { ANSWER = 1 << 20 };

static size_t read_all(int fd, char *text)
{
    size_t n = 0;
    for (ssize_t got;
         n < ANSWER - 1 && wait_for(fd, POLLIN) && (got = read(fd, text + n, ANSWER - 1 - n)) > 0;)
        n += (size_t)got;
    return n;
}

/* The status of the answer; 0: none. Whether `wanted` is in it. */
static int page(const char *request, const char *wanted, bool *found)
{
    /* Shared, so that a limit of the process' data is the library's alone. */
    char *text = mmap(NULL, ANSWER, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int fd = knock(), status = 0;
    if (text != MAP_FAILED && fd >= 0 &&
        dprintf(fd, "%s HTTP/1.1\r\nHost: mesh\r\nConnection: close\r\n\r\n", request) > 0) {
        text[read_all(fd, text)] = '\0';
        sscanf(text, "HTTP/1.1 %d", &status);
        if (wanted)
            *found = strstr(text, wanted) != NULL;
    }
    if (fd >= 0)
        close(fd);
    if (text != MAP_FAILED)
        munmap(text, ANSWER);
    return status;
}

/* A line more, which is no other configuration, or is. */
static bool change(const char *line)
{
    const char *path = getenv("MESHSHIM_CONFIG");
    int fd = open(path ? path : "", O_WRONLY | O_APPEND | O_CLOEXEC);
    bool good = fd >= 0 && dprintf(fd, "%s\n", line) > 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* What is asked may fail where calls fail; that it is answered at all afterwards is asked by admin_answers. */
bool admin_round(void)
{
    static const char *const pages[] = { "GET /",        "GET /stats",       "GET /metrics",
                                         "GET /config",  "GET /connections", "GET /identity",
                                         "GET /healthz", "GET /none",        "PUT /",
                                         "POST /reload" };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        (void)page(pages[i], NULL, NULL);
    return change("; another line") && page("POST /reload", NULL, NULL) != 422;
}

bool watch_round(void)
{
    bool found = false;
    if (!change("[service noticed]\nhost = 127.0.0.77\nidentity = default/server"))
        return false;
    for (int i = 0; i < NOTICED && !found; i++) {
        poll(NULL, 0, 100);
        if (page("GET /config", "127.0.0.77", &found) == 0)
            return false;
    }
    return found;
}

bool admin_answers(void)
{
    int fd = knock(), status = fd < 0 ? 0 : page("GET /healthz", NULL, NULL);
    if (fd >= 0)
        close(fd);
    return fd < 0 || status == 200;
}
