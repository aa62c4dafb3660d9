/*
 * A program that leaves sending and receiving to a library, which it loads as some do: with libc looked up before anything else.
 *
 *   plugin_host LIBRARY deep|shallow|apart PORT PATH   fetches by HTTP
 *   plugin_host LIBRARY load NAME                      the library loads another
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/banned.h"

typedef long sends(int fd, const char *text, size_t n);
typedef long receives(int fd, char *text, size_t n);
typedef void *loads(const char *name);

static void *load(const char *path, const char *how)
{
    void *library = strcmp(how, "apart") == 0
                        ? dlmopen(LM_ID_BASE, path, RTLD_NOW | RTLD_DEEPBIND)
                        : dlopen(path, RTLD_NOW | (strcmp(how, "deep") == 0 ? RTLD_DEEPBIND : 0));
    if (!library) {
        fprintf(stderr, "plugin_host: %s\n", dlerror());
        _exit(1);
    }
    return library;
}

static int connected(const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)strtol(port, NULL, 10));
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        perror("plugin_host: connect");
        _exit(1);
    }
    return fd;
}

static int fetch(void *library, const char *port, const char *path)
{
    char text[4096];
    sends *plugin_send = (sends *)dlsym(library, "plugin_send");
    receives *plugin_receive = (receives *)dlsym(library, "plugin_receive");
    int fd = connected(port), n = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\n\r\n", path);
    long got;
    if (plugin_send(fd, text, (size_t)n) != n)
        return 1;
    while ((got = plugin_receive(fd, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)got, stdout);
    return got != 0;
}

int main(int argc, char **argv)
{
    void *library;
    if (argc < 4)
        return 2;
    library = load(argv[1], argv[2]);
    if (strcmp(argv[2], "load") != 0)
        return argc == 5 ? fetch(library, argv[3], argv[4]) : 2;
    if (!((loads *)dlsym(library, "plugin_load"))(argv[3])) {
        fprintf(stderr, "plugin_host: %s\n", dlerror());
        return 1;
    }
    return 0;
}
