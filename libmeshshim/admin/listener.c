/* See listener.h. */
#include "admin/listener.h"

#include <dirent.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/libc.h"
#include "stats/rundir.h"

static bool address_of(struct sockaddr_un *address, const char *directory, const char *prefix, int pid)
{
    int length;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    length = snprintf(address->sun_path, sizeof address->sun_path, "%s/%s%d.sock", directory, prefix, pid);
    return length > 0 && (size_t)length < sizeof address->sun_path;
}

/* What is at the path: ENOENT nothing, ECONNREFUSED a stale socket, EADDRINUSE a live one, EEXIST something
 * else. */
static int probe(const struct sockaddr_un *address)
{
    struct stat st;
    int fd, error;
    if (lstat(address->sun_path, &st) < 0)
        return errno;
    if (!S_ISSOCK(st.st_mode))
        return EEXIST;
    fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    error = libc.connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
    libc.close(fd);
    return error == ECONNREFUSED || error == ENOENT ? error : EADDRINUSE;
}

static int check_free(const struct sockaddr_un *address)
{
    int found = probe(address);
    return found == ENOENT || found == ECONNREFUSED ? 0 : found;
}

/*
 * The mode of a socket's name comes from the socket's own, less the umask: set it before bind, and a window
 * in which others may connect never opens. chmod only gives back what an odd umask took from ourselves.
 */
static int bind_privately(int fd, const struct sockaddr_un *address)
{
    if (fchmod(fd, 0600) < 0)
        return errno;
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return errno;
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
        chmod(address->sun_path, 0600) < 0 || libc.listen(fd, 16) < 0)
        return errno;
    return 0;
}

/* Bound under another name and renamed: whoever finds PID.sock finds it listening, or it is stale. */
static int open_listener(const struct sockaddr_un *address, const struct sockaddr_un *early, int *fd)
{
    int error;
    *fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return errno;
    error = bind_privately(*fd, early);
    if (!error && rename(early->sun_path, address->sun_path) < 0)
        error = errno;
    if (error) {
        unlink(early->sun_path);
        libc.close(*fd);
    }
    return error;
}

int listener_open(const char *directory, char *path, size_t room, int *fd)
{
    struct sockaddr_un address, early;
    int error = rundir_prepare(directory);
    if (error)
        return error;
    if (!address_of(&address, directory, "", (int)getpid()) ||
        !address_of(&early, directory, ".", (int)getpid()) || strlen(address.sun_path) >= room)
        return ENAMETOOLONG;
    error = check_free(&address);
    if (!error)
        error = open_listener(&address, &early, fd);
    if (!error)
        memcpy(path, address.sun_path, strlen(address.sun_path) + 1);
    return error;
}

/* PID of "PID.sock"; 0 where it is another name. */
static int pid_of(const char *name)
{
    char *end;
    unsigned long pid;
    if (*name < '1' || *name > '9')
        return 0;
    pid = strtoul(name, &end, 10);
    return strcmp(end, ".sock") == 0 && pid <= 4194304 ? (int)pid : 0;
}

void listener_sweep(const char *directory)
{
    DIR *dir = libc.opendir(directory);
    struct sockaddr_un address;
    struct dirent *entry;
    if (!dir)
        return;
    while ((entry = readdir(dir)) != NULL) {
        int pid = pid_of(entry->d_name);
        if (pid && pid != getpid() && address_of(&address, directory, "", pid) &&
            probe(&address) == ECONNREFUSED)
            unlink(address.sun_path);
    }
    closedir(dir);
}

void listener_knock(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path) + 1);
    probe(&address);
}

bool listener_admits(int client)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    return libc.getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && length == sizeof peer &&
           (peer.uid == geteuid() || peer.uid == 0);
}
