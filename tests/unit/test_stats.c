/* Counters in shared memory: who sees what, what a killed process leaves, and files that are full, hostile or
 * missing. */
#include <CUnit/Basic.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stats/region.h"
#include "stats/stats.h"

#define ME   "spiffe://mesh.local/ns/default/sa/web"
#define PEER "spiffe://mesh.local/ns/default/sa/cache"

static char top[64], dir[128];

/* Each test runs in a process of its own, for a process maps its file once; it ends with 1 where a check
 * failed. */
static bool wrong;
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "\n    %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                    \
            wrong = true;                                                                                    \
        }                                                                                                    \
    } while (0)

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void in_a_process(void (*test)(void))
{
    int status;
    pid_t pid;

    snprintf(top, sizeof top, "/tmp/meshshim-stats.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(top));
    snprintf(dir, sizeof dir, "%s/run", top);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(60);
        test();
        exit(wrong);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
#define TEST(name)                                                                                           \
    static void run_##name(void)                                                                             \
    {                                                                                                        \
        in_a_process(name);                                                                                  \
    }

/* A child of a test: it must end well. */
static pid_t child(void (*work)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        work();
        _exit(wrong);
    }
    return pid;
}

static void join(pid_t pid)
{
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
}

static const char *file_path(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/stats-%u.shm", dir, (unsigned)geteuid());
    return path;
}

/* What the directory says of a service, all peers together. */
struct seen {
    const char *service;
    int rows;
    struct stats_row sum;
};

static void add_row(const struct stats_row *row, void *context)
{
    struct seen *seen = context;
    if (strcmp(row->service, seen->service) != 0)
        return;
    seen->rows++;
    seen->sum.opened += row->opened;
    seen->sum.closed += row->closed;
    seen->sum.active += row->active;
    seen->sum.sent += row->sent;
    seen->sum.received += row->received;
    seen->sum.failed[FAILURE_IDENTITY] += row->failed[FAILURE_IDENTITY];
    histogram_add(&seen->sum.latency[LATENCY_CONNECT], &row->latency[LATENCY_CONNECT]);
}

static const struct stats_row *look(const char *service, int *rows)
{
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    seen.service = service;
    (void)stats_each(dir, add_row, &seen);
    if (rows)
        *rows = seen.rows;
    return &seen.sum;
}

static struct series *cache(void)
{
    return stats_series(STATS_OUTBOUND, "cache", PEER, STATS_MUTUAL_TLS);
}

static void count_once(struct series *series)
{
    struct counters *counters = stats_counters(series);
    stats_connection_opened(series);
    atomic_fetch_add(&counters->sent, 10);
    atomic_fetch_add(&counters->received, 20);
    atomic_fetch_add(&counters->failed[FAILURE_IDENTITY], 1);
    histogram_record(&counters->latency[LATENCY_CONNECT], 80000);
    stats_connection_closed(series);
}

static void counts_are_seen(void)
{
    struct stat st;
    int rows;

    CHECK(stats_each(dir, add_row, NULL) == ENOENT);
    CHECK(stats_open(dir, ME) == 0);
    CHECK(stats_open(dir, ME) == 0);
    CHECK(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700);
    CHECK(stat(file_path(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600);
    CHECK(look("cache", &rows)->opened == 0 && rows == 0);
    count_once(cache());
    stats_connection_opened(cache());
    CHECK(look("cache", &rows)->opened == 2 && rows == 1);
    CHECK(look("cache", NULL)->closed == 1);
    CHECK(look("cache", NULL)->active == 1);
    CHECK(look("cache", NULL)->sent == 10);
    CHECK(look("cache", NULL)->received == 20);
    CHECK(look("cache", NULL)->failed[FAILURE_IDENTITY] == 1);
    CHECK(histogram_total(&look("cache", NULL)->latency[LATENCY_CONNECT]) == 1);
}
TEST(counts_are_seen)

static void labels_make_series(void)
{
    char longer[600];
    struct series *first;

    CHECK(stats_open(dir, ME) == 0);
    first = cache();
    CHECK(first == cache());
    CHECK(first != stats_series(STATS_INBOUND, "cache", PEER, STATS_MUTUAL_TLS));
    CHECK(first != stats_series(STATS_OUTBOUND, "cache", PEER, STATS_NONE));
    CHECK(first != stats_series(STATS_OUTBOUND, "cache", "", STATS_MUTUAL_TLS));
    CHECK(first != stats_series(STATS_OUTBOUND, "cache2", PEER, STATS_MUTUAL_TLS));
    CHECK(stats_series(STATS_OUTBOUND, NULL, NULL, STATS_NONE) ==
          stats_series(STATS_OUTBOUND, "", "", STATS_NONE));
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK(stats_series(STATS_OUTBOUND, longer, longer, STATS_NONE) != NULL);
}
TEST(labels_make_series)

static void open_and_count(void)
{
    char peer[64];
    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 1000; i++) {
        count_once(cache());
        snprintf(peer, sizeof peer, "spiffe://mesh.local/ns/default/sa/%d", i % 20);
        count_once(stats_series(STATS_OUTBOUND, "many", peer, STATS_MUTUAL_TLS));
    }
}

/* The file is made by whichever comes first, and shows what they did after they are gone. */
static void processes_count_together(void)
{
    pid_t pids[8];
    int rows;

    for (int i = 0; i < 8; i++)
        pids[i] = child(open_and_count);
    for (int i = 0; i < 8; i++)
        join(pids[i]);
    CHECK(look("cache", &rows)->opened == 8000 && rows == 1);
    CHECK(look("cache", NULL)->sent == 80000);
    CHECK(look("cache", NULL)->closed == 8000);
    CHECK(look("cache", NULL)->active == 0);
    CHECK(histogram_total(&look("cache", NULL)->latency[LATENCY_CONNECT]) == 8000);
    CHECK(look("many", &rows)->opened == 8000 && rows == 20);
}
TEST(processes_count_together)

static void *count_in_thread(void *unused)
{
    for (int i = 0; i < 2000; i++)
        count_once(cache());
    return unused;
}

static void threads_count_together(void)
{
    pthread_t threads[4];
    int rows;

    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, count_in_thread, NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(look("cache", &rows)->opened == 8000 && rows == 1);
    CHECK(look("cache", NULL)->active == 0);
}
TEST(threads_count_together)

static int ready[2];

static void open_three_and_wait(void)
{
    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 3; i++)
        stats_connection_opened(cache());
    CHECK(write(ready[1], "x", 1) == 1);
    for (;;)
        pause();
}

static void a_killed_process_has_nothing_open(void)
{
    siginfo_t info;
    pid_t pid;
    char c;

    CHECK(pipe(ready) == 0);
    pid = child(open_three_and_wait);
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK(look("cache", NULL)->active == 3);
    CHECK(look("cache", NULL)->closed == 0);
    CHECK(kill(pid, SIGKILL) == 0);
    /* Dead, and not yet waited for. */
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(look("cache", NULL)->active == 0);
    CHECK(look("cache", NULL)->closed == 3);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(look("cache", NULL)->active == 0);
    CHECK(look("cache", NULL)->closed == 3);
    /* The next process gets its record; what was left in it is closed for good. */
    CHECK(stats_open(dir, ME) == 0);
    stats_connection_opened(cache());
    CHECK(look("cache", NULL)->active == 1);
    CHECK(look("cache", NULL)->closed == 3);
    CHECK(atomic_load(&stats_counters(cache())->closed) == 3);
    CHECK(look("cache", NULL)->opened == 4);
}
TEST(a_killed_process_has_nothing_open)

static void close_one(void)
{
    stats_connection_closed(cache());
}

static void close_one_after_fork(void)
{
    stats_after_fork();
    close_one();
}

static void open_one(void)
{
    stats_after_fork();
    stats_connection_opened(cache());
}

/* A forking server: the parent accepts, the child closes last. */
static void a_child_closes_what_its_parent_opened(void)
{
    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 3; i++)
        stats_connection_opened(cache());
    join(child(close_one_after_fork));
    CHECK(look("cache", NULL)->active == 2);
    join(child(close_one));
    CHECK(look("cache", NULL)->active == 1);
    join(child(open_one)); /* ended without closing */
    CHECK(look("cache", NULL)->active == 1);
    stats_connection_closed(cache());
    CHECK(look("cache", NULL)->active == 0);
    CHECK(look("cache", NULL)->opened == 4);
    CHECK(look("cache", NULL)->closed == 4);
    stats_connection_closed(cache()); /* one too many */
    CHECK(look("cache", NULL)->active == 0);
}
TEST(a_child_closes_what_its_parent_opened)

static void a_full_table_overflows(void)
{
    char peer[64];
    int rows;

    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 1100; i++) {
        struct series *series;
        snprintf(peer, sizeof peer, "spiffe://mesh.local/ns/default/sa/%d", i);
        series = stats_series(STATS_INBOUND, "inbound:80", peer, STATS_MUTUAL_TLS);
        CHECK(series != NULL);
        count_once(series);
    }
    CHECK(look("inbound:80", &rows)->opened == 1020 && rows == 1020);
    CHECK(look("other", &rows)->opened == 80 && rows == 1);
}
TEST(a_full_table_overflows)

/* A process keeps 64 series apart; what goes beyond is counted, but not as active. */
static void more_active_series_than_a_record_holds(void)
{
    char peer[64];
    struct series *series[80];

    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 80; i++) {
        snprintf(peer, sizeof peer, "spiffe://mesh.local/ns/default/sa/%d", i);
        series[i] = stats_series(STATS_OUTBOUND, "many", peer, STATS_MUTUAL_TLS);
        stats_connection_opened(series[i]);
    }
    CHECK(look("many", NULL)->active == REGION_PAIRS);
    for (int i = 0; i < 80; i++)
        stats_connection_closed(series[i]);
    CHECK(look("many", NULL)->active == 0);
    CHECK(look("many", NULL)->closed == 80);
}
TEST(more_active_series_than_a_record_holds)

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

    CHECK(mkdir(dir, 0700) == 0);
    snprintf(victim, sizeof victim, "%s/victim", top);
    CHECK(close(open(victim, O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(symlink(victim, file_path()) == 0);
    CHECK(stats_open(dir, ME) == EPERM);
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
    char kept[256];

    snprintf(kept, sizeof kept, "%s/kept", top);
    CHECK(mkdir(dir, 0700) == 0);
    put_file("MESHSTAT of old", 15, 0600);
    CHECK(look("cache", NULL)->opened == 0);
    CHECK(stat(file_path(), &before) == 0);
    CHECK(link(file_path(), kept) == 0);
    CHECK(stats_open(dir, ME) == 0);
    CHECK(stat(file_path(), &after) == 0);
    CHECK(before.st_ino != after.st_ino);
    CHECK(stat(kept, &before) == 0 && before.st_size == 15);
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

/* Readers look at files that others may cut short at any time. */
static void a_truncated_file_is_no_crash(void)
{
    join(child(open_and_count));
    CHECK(truncate(file_path(), REGION_PAGE + 100) == 0);
    CHECK(look("cache", NULL)->opened == 0);
    CHECK(truncate(file_path(), 0) == 0);
    CHECK(look("cache", NULL)->opened == 0);
    join(child(use_everything));
    CHECK(look("cache", NULL)->opened == 2);
}
TEST(a_truncated_file_is_no_crash)

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

static void json_is_exact(void)
{
    struct buf out = BUF_INIT;
    struct counters *counters;
    struct series *series;

    CHECK(stats_open(dir, "w\"\\\n\x01\xff\xc3\xa9") == 0);
    stats_write_json(dir, &out);
    CHECK(strcmp(buf_text(&out), "{\"entries\":[]}") == 0);
    buf_free(&out);
    series = stats_series(STATS_OUTBOUND, "cache", PEER, STATS_MUTUAL_TLS);
    counters = stats_counters(series);
    stats_connection_opened(series);
    atomic_fetch_add(&counters->sent, 1234);
    atomic_fetch_add(&counters->failed[FAILURE_OWN_IDENTITY], 2);
    histogram_record(&counters->latency[LATENCY_CONNECT], 12345);
    histogram_record(&counters->latency[LATENCY_HANDSHAKE], 1234567);
    stats_write_json(dir, &out);
    CHECK(strcmp(buf_text(&out),
                 "{\"entries\":[{\"direction\":\"outbound\",\"service\":\"cache\",\"peer\":\"" PEER
                 "\",\"security\":\"mutual_tls\",\"workload\":\"w\\\"\\\\\\n\\u0001\\ufffd\xc3\xa9\","
                 "\"connections\":{\"opened\":1,\"active\":1,\"failed\":{\"own_identity\":2}},"
                 "\"bytes\":{\"sent\":1234,\"received\":0},\"latency_us\":{"
                 "\"connect\":{\"count\":1,\"p50\":12.4,\"p90\":12.4,\"p99\":12.4,\"p999\":12.4},"
                 "\"handshake\":{\"count\":1,\"p50\":1237,\"p90\":1237,\"p99\":1237,\"p999\":1237},"
                 "\"turnaround\":{\"count\":0}}}]}") == 0);
    buf_free(&out);
}
TEST(json_is_exact)

static void has(const struct buf *text, const char *line)
{
    if (!strstr(buf_text(text), line)) {
        fprintf(stderr, "\n    no such line: %s    in:\n%s", line, buf_text(text));
        wrong = true;
    }
}

#define OUTBOUND                                                                                             \
    "{reporter=\"source\",source_principal=\"" ME                                                            \
    "\",source_workload=\"web\",source_workload_namespace=\"default\","                                      \
    "destination_principal=\"" PEER                                                                          \
    "\",destination_workload=\"cache\",destination_workload_namespace=\"default\","                          \
    "destination_service=\"ca\\\"\\\\\\nche\",destination_service_name=\"ca\\\"\\\\\\nche\",request_"        \
    "protocol=\"tcp\","                                                                                      \
    "connection_security_policy=\"mutual_tls\""
#define INBOUND                                                                                              \
    "{reporter=\"destination\",source_principal=\"unknown\",source_workload=\"unknown\","                    \
    "source_workload_namespace=\"unknown\",destination_principal=\"" ME "\",destination_workload=\"web\","   \
    "destination_workload_namespace=\"default\",destination_service=\"inbound:80\","                         \
    "destination_service_name=\"inbound:80\",request_protocol=\"tcp\",connection_security_policy=\"none\""

static void prometheus_is_istios(void)
{
    struct buf out = BUF_INIT;
    struct series *series;

    CHECK(stats_open(dir, ME) == 0);
    count_once(stats_series(STATS_OUTBOUND, "ca\"\\\nche", PEER, STATS_MUTUAL_TLS));
    series = stats_series(STATS_INBOUND, "inbound:80", "", STATS_NONE);
    stats_connection_opened(series);
    stats_write_prometheus(dir, &out);
    has(&out, "# HELP istio_tcp_connections_opened_total TCP connections opened.\n"
              "# TYPE istio_tcp_connections_opened_total counter\n"
              "istio_tcp_connections_opened_total" INBOUND "} 1\n"
              "istio_tcp_connections_opened_total" OUTBOUND "} 1\n"
              "# HELP istio_tcp_connections_closed_total ");
    has(&out, "istio_tcp_connections_closed_total" OUTBOUND "} 1\n");
    has(&out, "istio_tcp_sent_bytes_total" OUTBOUND "} 10\n");
    has(&out, "istio_tcp_received_bytes_total" OUTBOUND "} 20\n");
    has(&out, "# TYPE meshshim_connections_active gauge\nmeshshim_connections_active" INBOUND "} 1\n");
    has(&out, "meshshim_connections_failed_total" OUTBOUND ",reason=\"identity\"} 1\n");
    has(&out, "# TYPE meshshim_connect_duration_seconds histogram\n");
    has(&out, "meshshim_connect_duration_seconds_bucket" OUTBOUND ",le=\"0.00005\"} 0\n");
    has(&out, "meshshim_connect_duration_seconds_bucket" OUTBOUND ",le=\"0.0001\"} 1\n");
    has(&out, "meshshim_connect_duration_seconds_bucket" OUTBOUND ",le=\"+Inf\"} 1\n");
    has(&out, "meshshim_connect_duration_seconds_count" OUTBOUND "} 1\n");
    has(&out, "meshshim_connect_duration_seconds_sum" OUTBOUND "} 0.0000");
    CHECK(strstr(buf_text(&out), "meshshim_connect_duration_seconds_bucket" INBOUND) == NULL);
    buf_free(&out);
}
TEST(prometheus_is_istios)

int main(void)
{
    CU_pSuite suite;
    unsigned failures;

    CU_initialize_registry();
    suite = CU_add_suite("stats", NULL, NULL);
    CU_add_test(suite, "counts are seen", run_counts_are_seen);
    CU_add_test(suite, "labels make series", run_labels_make_series);
    CU_add_test(suite, "processes count together", run_processes_count_together);
    CU_add_test(suite, "threads count together", run_threads_count_together);
    CU_add_test(suite, "a killed process has nothing open", run_a_killed_process_has_nothing_open);
    CU_add_test(suite, "a child closes what its parent opened", run_a_child_closes_what_its_parent_opened);
    CU_add_test(suite, "a full table overflows", run_a_full_table_overflows);
    CU_add_test(suite, "more active series than a record holds", run_more_active_series_than_a_record_holds);
    CU_add_test(suite, "without a directory", run_without_a_directory_a_process_counts_for_itself);
    CU_add_test(suite, "never opened", run_never_opened);
    CU_add_test(suite, "a foreign directory in a public place", run_a_foreign_directory_in_a_public_place);
    CU_add_test(suite, "files that are not ours alone", run_files_that_are_not_ours_alone);
    CU_add_test(suite, "another version's file is replaced", run_another_versions_file_is_replaced);
    CU_add_test(suite, "rubbish does no harm", run_rubbish_does_no_harm);
    CU_add_test(suite, "a truncated file is no crash", run_a_truncated_file_is_no_crash);
    CU_add_test(suite, "files of several users", run_files_of_several_users);
    CU_add_test(suite, "a full disk", run_a_full_disk);
    CU_add_test(suite, "no room at all", run_no_room_at_all);
    CU_add_test(suite, "JSON is exact", run_json_is_exact);
    CU_add_test(suite, "Prometheus is Istio's", run_prometheus_is_istios);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
