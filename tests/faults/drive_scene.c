/* The scenes: what the two processes do, and with which configuration, runtime directory and log. */
#include "drive.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct scene scenes[SCENES] = {
    { "usual", "usual", false }, /* in a runtime directory on a disk, where others have been */
    { "fresh", "usual", true },  /* first in one that is empty */
    { "wide", "wide", true },    /* everything else that programs do */
    { "admin", "admin", true },  /* who asks, and reloads */
    { "watch", "watch", true },  /* a configuration that is changed */
};

static void path_of(char *into, size_t room, const char *slot, const char *end)
{
    snprintf(into, room, "%s/%s.%s", memory, slot, end);
}

static void empty(const char *path)
{
    DIR *all = opendir(path);
    for (struct dirent *entry; all && (entry = readdir(all));)
        unlinkat(dirfd(all), entry->d_name, 0);
    if (all)
        closedir(all);
}

/* The configuration of a side, and one endpoint more: behind one that refuses. */
static void configure(int side, const char *slot, int port)
{
    char from[300], to[300], end[32], text[4096];
    FILE *in, *out;
    size_t n;
    snprintf(from, sizeof from, "%s/ini/%s.ini", directory, side_names[side]);
    snprintf(end, sizeof end, "%s.ini", side_names[side]);
    path_of(to, sizeof to, slot, end);
    in = fopen(from, "re");
    out = fopen(to, "we");
    if (!in || !out)
        die(to);
    while ((n = fread(text, 1, sizeof text, in)) > 0)
        fwrite(text, 1, n, out);
    fprintf(out,
            "[service elsewhere]\nhost = 127.0.0.9\nidentity = default/server\nendpoints = 127.0.0.1:1, "
            "127.0.0.1:%d\n",
            port);
    fclose(in);
    fclose(out);
}

void scene_begin(int scene, const char *slot, int port)
{
    char run[300];
    if (!scenes[scene].own)
        return;
    path_of(run, sizeof run, slot, "run");
    mkdir(run, 0700);
    empty(run);
    for (int side = CLIENT; side <= SERVER; side++)
        configure(side, slot, port);
}

void scene_enter(int scene, int side, const char *slot)
{
    char path[300], end[32];
    snprintf(path, sizeof path, "%s/ini/%s.ini", directory, side_names[side]);
    if (scenes[scene].own) {
        path_of(path, sizeof path, slot, "run");
        setenv("MESHSHIM_RUNTIME_DIR", path, 1);
        path_of(path, sizeof path, slot, "log");
        setenv("MESHSHIM_LOG_FILE", path, 1);
        setenv("MESHSHIM_LOG", "debug", 1);
        snprintf(end, sizeof end, "%s.ini", side_names[side]);
        path_of(path, sizeof path, slot, end);
    }
    setenv("MESHSHIM_CONFIG", path, 1);
}
