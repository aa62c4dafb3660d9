/* Counters in shared memory: who sees what, and what a killed process leaves. */
#include "stats_seen.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include "check.h"

static void counts_are_seen(void)
{
    struct stat st;
    int rows;

    CHECK(stats_each(dir, add_row, NULL) == ENOENT);
    CHECK(stats_open(dir, ME) == 0);
    CHECK(stats_open(dir, ME) == 0);
    CHECK(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700);
    CHECK(stat(file_path(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0400);
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

static void count_one(void)
{
    count_once(cache());
}

static void open_and_close_one(void)
{
    open_one();
    stats_connection_closed(cache());
}

/* Whether a handler told the child of its fork or not. */
static void a_child_counts_its_own(void)
{
    CHECK(stats_open(dir, ME) == 0);
    stats_connection_opened(cache());
    join(child(open_and_close_one));
    CHECK(look("cache", NULL)->active == 1);
    join(child(count_one));
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
TEST(a_child_counts_its_own)

static void a_full_table_overflows(void)
{
    char peer[64];
    int rows;

    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < 2100; i++) {
        struct series *series;
        snprintf(peer, sizeof peer, "spiffe://mesh.local/ns/default/sa/%d", i);
        series = stats_series(STATS_INBOUND, "inbound:80", peer, STATS_MUTUAL_TLS);
        CHECK(series != NULL);
        count_once(series);
    }
    CHECK(look("inbound:80", &rows)->opened == 1532 && rows == 1532);
    CHECK(look("other", &rows)->opened == 568 && rows == 1);
}
TEST(a_full_table_overflows)

/* A client of a thousand services has connections to each. */
static void a_thousand_series_are_active(void)
{
    enum { MANY = 1000 };
    char name[64];
    static struct series *series[MANY];

    CHECK(stats_open(dir, ME) == 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "spiffe://mesh.local/ns/default/sa/%d", i);
        series[i] = stats_series(STATS_OUTBOUND, "many", name, STATS_MUTUAL_TLS);
        stats_connection_opened(series[i]);
    }
    CHECK(look("many", NULL)->active == MANY);
    for (int i = 0; i < MANY; i++)
        stats_connection_closed(series[i]);
    CHECK(look("many", NULL)->active == 0);
    CHECK(look("many", NULL)->closed == MANY);
}
TEST(a_thousand_series_are_active)

static void count_and_end(void)
{
    open_and_count();
    stats_end();
}

static void end_with_one_open(void)
{
    CHECK(stats_open(dir, ME) == 0);
    stats_connection_opened(cache());
    stats_end();
}

static size_t records(void)
{
    static struct region_control control;
    size_t taken = 0;
    int fd = open(file_path(), O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, &control, sizeof control) == sizeof control);
    close(fd);
    for (size_t i = 0; i < REGION_PROCESSES; i++)
        taken += atomic_load(&control.owner[i]) != 0;
    return taken;
}

/* In another container nobody could tell whose owner is gone. */
static void who_ends_gives_its_record_back(void)
{
    join(child(open_and_count));
    CHECK(records() == 1); /* killed, or by _exit */
    join(child(count_and_end));
    CHECK(records() == 0);
    join(child(end_with_one_open));
    CHECK(records() == 1);
    CHECK(look("cache", NULL)->opened == 2001);
    CHECK(look("cache", NULL)->active == 0);
}
TEST(who_ends_gives_its_record_back)

static CU_TestInfo tests[] = {
    { "counts are seen", run_counts_are_seen },
    { "labels make series", run_labels_make_series },
    { "processes count together", run_processes_count_together },
    { "threads count together", run_threads_count_together },
    { "a killed process has nothing open", run_a_killed_process_has_nothing_open },
    { "a child counts its own", run_a_child_counts_its_own },
    { "a full table overflows", run_a_full_table_overflows },
    { "a thousand series are active", run_a_thousand_series_are_active },
    { "who ends gives its record back", run_who_ends_gives_its_record_back },
    CU_TEST_INFO_NULL,
};

int main(void)
{
    return check_run("stats", tests);
}
