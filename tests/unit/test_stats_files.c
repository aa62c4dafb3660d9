/* The files of counters: missing, hostile, cut short, of several users, and no room for them. */
#include "stats_seen.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "check.h"

static void without_a_directory_a_process_counts_for_itself(void)
{
    int rows;

    snprintf(dir, sizeof dir, "%s/not/there", top);
    CHECK(stats_open(dir, ME) == ENOENT);
    count_once(cache());
    CHECK(look("cache", &rows)->opened == 1 && rows == 1);
    join(child(open_one));
    CHECK(look("cache", NULL)->opened == 2);
    CHECK(look("cache", NULL)->active == 0);
    /* A later try that succeeds: both are seen, as one. */
    snprintf(dir, sizeof dir, "%s/run", top);
    CHECK(stats_open(dir, ME) == 0);
    count_once(cache());
    CHECK(look("cache", NULL)->opened == 3);
}
TEST(without_a_directory_a_process_counts_for_itself)

static void never_opened(void)
{
    stats_after_fork();
    count_once(cache());
    CHECK(look("cache", NULL)->opened == 1);
    CHECK(stats_each(NULL, add_row, &(struct seen){ .service = "none" }) == 0);
}
TEST(never_opened)

static void a_foreign_directory_in_a_public_place(void)
{
    char path[256];

    if (geteuid() != 0)
        return;
    CHECK(chmod(top, 01777) == 0);
    CHECK(mkdir(dir, 0777) == 0 && chown(dir, 12345, 12345) == 0);
    CHECK(stats_open(dir, ME) == EPERM);
    CHECK(access(file_path(), F_OK) < 0);
    snprintf(path, sizeof path, "%s/link", top);
    CHECK(symlink("/tmp", path) == 0 && lchown(path, 12345, 12345) == 0);
    CHECK(stats_open(path, ME) == EPERM);
    CHECK(chmod(top, 0755) == 0); /* not public: whoever made it there had the right to */
    CHECK(stats_open(dir, ME) == 0);
}
TEST(a_foreign_directory_in_a_public_place)

static void put_file(const void *data, size_t length, mode_t mode)
{
    int fd = open(file_path(), O_WRONLY | O_CREAT | O_TRUNC, mode);
    CHECK(fd >= 0);
    CHECK(fchmod(fd, mode) == 0);
    CHECK(write(fd, data, length) == (ssize_t)length);
    CHECK(close(fd) == 0);
}

static void files_that_are_not_ours_alone(void)
{
    char victim[256];
    struct stat st;

    CHECK(mkdir(dir, 0700) == 0);
    snprintf(victim, sizeof victim, "%s/victim", top);
    CHECK(close(open(victim, O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(symlink(victim, file_path()) == 0);
    CHECK(stats_open(dir, ME) == EPERM);
    CHECK(unlink(file_path()) == 0);
    CHECK(link(victim, file_path()) == 0);
    CHECK(stats_open(dir, ME) == EPERM);
    CHECK(stat(victim, &st) == 0 && st.st_size == 0);
    CHECK(unlink(file_path()) == 0);
    put_file("", 0, 0620);
    CHECK(stats_open(dir, ME) == EPERM);
    CHECK(unlink(file_path()) == 0);
    CHECK(mkfifo(file_path(), 0600) == 0);
    CHECK(stats_open(dir, ME) == EPERM);
    CHECK(look("cache", NULL)->opened == 0);
    CHECK(unlink(file_path()) == 0);
    CHECK(mkdir(file_path(), 0700) == 0);
    CHECK(stats_open(dir, ME) != 0);
    count_once(cache());
    CHECK(look("cache", NULL)->opened == 1);
}
TEST(files_that_are_not_ours_alone)

static void another_versions_file_is_replaced(void)
{
    struct stat before, after;
    int kept;

    CHECK(mkdir(dir, 0700) == 0);
    put_file("MESHSTAT of old", 15, 0600);
    CHECK(look("cache", NULL)->opened == 0);
    CHECK(stat(file_path(), &before) == 0);
    kept = open(file_path(), O_RDONLY | O_CLOEXEC); /* so that its inode is not used again */
    CHECK(stats_open(dir, ME) == 0);
    CHECK(stat(file_path(), &after) == 0);
    CHECK(before.st_ino != after.st_ino);
    CHECK(fstat(kept, &before) == 0 && before.st_size == 15 && close(kept) == 0);
    count_once(cache());
    CHECK(look("cache", NULL)->opened == 1);
}
TEST(another_versions_file_is_replaced)

/* Everything behind the header is rubbish, in several ways. */
static void fill_with_rubbish(int way)
{
    size_t size = REGION_SIZE - REGION_PAGE;
    unsigned char *bytes = malloc(size);
    unsigned seed = 1;
    int fd = open(file_path(), O_WRONLY);

    CHECK(fd >= 0 && bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(way == 0 ? 0xff : way == 1 ? 1 : (seed = seed * 1103515245 + 12345) >> 16);
    CHECK(pwrite(fd, bytes, size, REGION_PAGE) == (ssize_t)size);
    CHECK(close(fd) == 0);
    free(bytes);
}

static void use_everything(void)
{
    struct buf json = BUF_INIT, text = BUF_INIT;

    CHECK(stats_open(dir, ME) == 0);
    CHECK(cache() != NULL);
    count_once(cache());
    stats_connection_opened(cache());
    stats_connection_closed(stats_series(STATS_INBOUND, "inbound:80", "", STATS_NONE));
    stats_write_json(dir, &json);
    stats_write_prometheus(dir, &text);
    CHECK(!json.failed && json.length > 10 && json.data[json.length - 1] == '}');
    CHECK(!text.failed && text.length > 10 && text.data[text.length - 1] == '\n');
    buf_free(&json);
    buf_free(&text);
}

static void rubbish_does_no_harm(void)
{
    join(child(open_and_count));
    for (int way = 0; way < 3; way++) {
        fill_with_rubbish(way);
        join(child(use_everything));
    }
}
TEST(rubbish_does_no_harm)

/* Readers look at files that somebody may cut short at any time, if he means to. */
static void a_truncated_file_is_no_crash(void)
{
    join(child(open_and_count));
    CHECK(chmod(file_path(), 0600) == 0 && truncate(file_path(), REGION_PAGE + 100) == 0);
    CHECK(look("cache", NULL)->opened == 0);
    CHECK(truncate(file_path(), 0) == 0);
    CHECK(look("cache", NULL)->opened == 0);
    join(child(use_everything));
    CHECK(look("cache", NULL)->opened == 2);
}
TEST(a_truncated_file_is_no_crash)

/* Somebody who is not root: as whom files are opened by their mode. */
static void be_a_user(void)
{
    if (geteuid() != 0)
        return;
    CHECK(chown(top, 12345, 12345) == 0);
    CHECK(setgid(12345) == 0 && setuid(12345) == 0);
}

static void no_accident_by_its_name(void)
{
    int fd;
    be_a_user();
    CHECK(stats_open(dir, ME) == 0);
    count_once(cache());
    fd = open(file_path(), O_WRONLY | O_TRUNC);
    CHECK(fd < 0 && errno == EACCES);
    CHECK(truncate(file_path(), 0) < 0 && errno == EACCES);
    count_once(cache());
    CHECK(look("cache", NULL)->opened == 2);
    CHECK(unlink(file_path()) == 0);
    count_once(cache());
    CHECK(look("cache", NULL)->opened == 3);
}
TEST(no_accident_by_its_name)

/* Each lifts the guard for itself. */
static void opened_by_many_at_once(void)
{
    enum { MANY = 40 };
    pid_t pids[MANY];
    struct stat st;
    be_a_user();
    join(child(open_and_count));
    for (int i = 0; i < MANY; i++)
        pids[i] = child(open_and_count);
    for (int i = 0; i < MANY; i++)
        join(pids[i]);
    CHECK(look("cache", NULL)->opened == 1000 * (1 + MANY));
    CHECK(stat(file_path(), &st) == 0 && (st.st_mode & 07777) == 0400);
}
TEST(opened_by_many_at_once)

/* Two users of one directory: the same labels are one row. */
static void files_of_several_users(void)
{
    char other[256], command[600];
    int rows;

    if (geteuid() != 0)
        return;
    join(child(open_and_count));
    snprintf(other, sizeof other, "%s/stats-12345.shm", dir);
    snprintf(command, sizeof command, "cp %s %s", file_path(), other);
    CHECK(system(command) == 0);
    CHECK(look("cache", NULL)->opened == 1000); /* not 12345's: somebody forged it */
    CHECK(chown(other, 12345, 12345) == 0);
    CHECK(look("cache", &rows)->opened == 2000 && rows == 1);
}
TEST(files_of_several_users)

/* Neither SIGBUS nor a lost count when the file system has no room for another series. */
static void a_full_disk(void)
{
    char peer[64];

    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mkdir(dir, 0700) < 0 ||
        mount("none", dir, "tmpfs", 0, "size=256k,mode=700") < 0)
        return;
    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 30; i++) {
        snprintf(peer, sizeof peer, "spiffe://mesh.local/ns/default/sa/%d", i);
        count_once(stats_series(STATS_OUTBOUND, "many", peer, STATS_MUTUAL_TLS));
    }
    CHECK(look("many", NULL)->opened == 30);
    CHECK(look("many", NULL)->active == 0);
    CHECK(umount2(dir, MNT_DETACH) == 0);
}
TEST(a_full_disk)

static void no_room_at_all(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mkdir(dir, 0700) < 0 ||
        mount("none", dir, "tmpfs", 0, "size=16k,mode=700") < 0)
        return;
    CHECK(stats_open(dir, ME) == ENOSPC);
    CHECK(access(file_path(), F_OK) < 0);
    count_once(cache());
    CHECK(look("cache", NULL)->opened == 1);
    CHECK(umount2(dir, MNT_DETACH) == 0);
}
TEST(no_room_at_all)

static CU_TestInfo tests[] = {
    { "without a directory", run_without_a_directory_a_process_counts_for_itself },
    { "never opened", run_never_opened },
    { "a foreign directory in a public place", run_a_foreign_directory_in_a_public_place },
    { "files that are not ours alone", run_files_that_are_not_ours_alone },
    { "another version's file is replaced", run_another_versions_file_is_replaced },
    { "rubbish does no harm", run_rubbish_does_no_harm },
    { "a truncated file is no crash", run_a_truncated_file_is_no_crash },
    { "no accident by its name", run_no_accident_by_its_name },
    { "opened by many at once", run_opened_by_many_at_once },
    { "files of several users", run_files_of_several_users },
    { "a full disk", run_a_full_disk },
    { "no room at all", run_no_room_at_all },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("stats, files", tests);
}
