/* The admin thread notices files that change. */
#include "admin_ask.h"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "check.h"

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) >= 0);
    close(fd);
}

static bool reloaded(int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return sem_timedwait(&reload_seen, &until) == 0;
}

/*
 * The thread is ready to notice once it answers: it starts to watch before it serves. Its directory is there by then, for
 * making it would be a change beside the file.
 */
static void begin_watching(void)
{
    CHECK(mkdir(dir, 0700) == 0);
    CHECK(begin() == 0);
    CHECK(GET("/healthz") == 200);
}

static void a_changed_file_is_noticed(void)
{
    char new[256];

    snprintf(watched[0], sizeof watched[0], "%s/mesh.ini", top);
    snprintf(watched[1], sizeof watched[1], "%s/missing/key.pem", top);
    put(watched[0], "one");
    begin_watching();
    put(watched[0], "two");
    CHECK(reloaded(10000));
    snprintf(new, sizeof new, "%s/.mesh.ini.tmp", top);
    put(new, "three");
    CHECK(!reloaded(500)); /* not one of ours */
    CHECK(rename(new, watched[0]) == 0);
    CHECK(reloaded(10000));
    for (int i = 0; i < 5; i++)
        put(watched[0], "four");
    CHECK(reloaded(10000));
    CHECK(!reloaded(500)); /* five writes in a row are one change */
}
TEST(a_changed_file_is_noticed)

/* Kubernetes: mesh.ini -> ..data/mesh.ini, ..data -> ..1, then ..data is renamed over. */
static void a_config_map_is_noticed(void)
{
    char path[300], data[300];

    for (int i = 1; i <= 3; i++) {
        snprintf(path, sizeof path, "%s/..%d", top, i);
        CHECK(mkdir(path, 0700) == 0);
        snprintf(path, sizeof path, "%s/..%d/mesh.ini", top, i);
        put(path, "x");
    }
    snprintf(data, sizeof data, "%s/..data", top);
    snprintf(path, sizeof path, "%s/..tmp", top);
    snprintf(watched[0], sizeof watched[0], "%s/mesh.ini", top);
    CHECK(symlink("..1", data) == 0 && symlink("..data/mesh.ini", watched[0]) == 0);
    begin_watching();
    CHECK(symlink("..2", path) == 0 && rename(path, data) == 0);
    CHECK(reloaded(10000));
    CHECK(symlink("..3", path) == 0 && rename(path, data) == 0);
    CHECK(reloaded(10000));
    snprintf(path, sizeof path, "%s/..3/mesh.ini", top);
    put(path, "y"); /* what the link leads to now */
    CHECK(reloaded(10000));
}
TEST(a_config_map_is_noticed)

/* Without a directory nothing listens, but files are watched still. */
static void without_a_directory(void)
{
    snprintf(dir, sizeof dir, "%s/not/there", top);
    snprintf(watched[0], sizeof watched[0], "%s/mesh.ini", top);
    put(watched[0], "one");
    CHECK(begin() == ENOENT);
    for (int i = 0; i < 50 && !reloaded(200); i++) /* until the thread has begun to watch */
        put(watched[0], i % 2 ? "two" : "three");
    CHECK(atomic_load(&reloads) > 0);
}
TEST(without_a_directory)

static CU_TestInfo tests[] = {
    { "a changed file is noticed", run_a_changed_file_is_noticed },
    { "a ConfigMap is noticed", run_a_config_map_is_noticed },
    { "without a directory", run_without_a_directory },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    own_process_end = admin_stop;
    return check_run("admin, watching", tests);
}
