/* See lines.h. */
#include "lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"
#include "pace.h"

struct line {
    struct channel channel;
    struct answer answer;
    uint64_t began, number; /* the request that is out, or next */
    size_t sent;
    unsigned left; /* answers that are still to come; 0: nothing is out */
    uint32_t watched;
};

static struct plan plan;
static struct line *lines;
static struct pace pace;
static struct histogram *latencies;
static int set, timer;

static void give_up(const char *what)
{
    fprintf(stderr, "drive: port %u: %s (%s)\n", plan.port, what,
            errno ? strerror(errno) : "no more is known");
    exit(1);
}

static void watch(struct line *line, uint32_t events, int operation)
{
    struct epoll_event event = { .events = events, .data.ptr = line };
    if (operation == EPOLL_CTL_MOD && line->watched == events)
        return;
    if (epoll_ctl(set, operation, line->channel.fd, &event) != 0)
        give_up("epoll_ctl");
    line->watched = events;
}

static void dial(struct line *line)
{
    memset(&line->answer, 0, sizeof line->answer);
    line->left = 0;
    if (!channel_open(&line->channel, plan.port))
        give_up("cannot connect");
    watch(line, EPOLLOUT, EPOLL_CTL_ADD);
}

static void send_rest(struct line *line)
{
    ssize_t n =
        channel_write(&line->channel, plan.question.bytes + line->sent, plan.question.length - line->sent);
    if (n == CHANNEL_END || n == CHANNEL_FAILED)
        give_up("cannot send");
    line->sent += n > 0 ? (size_t)n : 0;
    watch(line, line->sent < plan.question.length ? EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
}

/* Sends the next request of a line that has nothing out, if it is due. */
static void ask(struct line *line)
{
    uint64_t now = now_ns(), due = pace_due(&pace, (unsigned)(line - lines), line->number);
    if (due > now)
        return;
    if (!plan.closes)
        line->began = due ? due : now;
    line->number++;
    line->left = plan.question.answers;
    line->sent = 0;
    send_rest(line);
}

static void establish(struct line *line)
{
    int result = channel_establish(&line->channel);
    if (result == CHANNEL_FAILED)
        give_up("no connection");
    watch(line, result == 1 ? EPOLLIN : line->channel.wants, EPOLL_CTL_MOD);
    if (result == 1 && plan.closes)
        ask(line);
}

static void answered(struct line *line)
{
    histogram_add(latencies, now_ns() - line->began, plan.question.answers);
    if (!plan.closes) {
        ask(line);
        return;
    }
    channel_close(&line->channel);
    line->began = now_ns();
    dial(line);
}

/* One piece; false where no more is to be had without waiting. */
static bool receive(struct line *line)
{
    static char bytes[65536];
    int completed;
    ssize_t n = channel_read(&line->channel, bytes, sizeof bytes);

    if (n == CHANNEL_AGAIN)
        return false;
    if (n <= 0)
        give_up(n == 0 ? "the server has ended a connection" : "cannot receive");
    completed = answer_take(&line->answer, &plan.question, bytes, (size_t)n);
    if (completed == ANSWER_WRONG || (unsigned)completed > line->left)
        give_up("this is not the answer");
    line->left -= (unsigned)completed;
    if (completed > 0 && line->left == 0) {
        answered(line);
        return line->channel.established && channel_holds(&line->channel);
    }
    return channel_holds(&line->channel);
}

static void serve(struct line *line)
{
    if (!line->channel.established) {
        establish(line);
        return;
    }
    if (line->left > 0 && line->sent < plan.question.length)
        send_rest(line);
    else
        while (receive(line))
            ;
}

/* The earliest moment from now on at which a request is due. A line that is busy then asks when it has its answer. */
static void set_timer(void)
{
    uint64_t earliest = UINT64_MAX, now = now_ns();
    for (unsigned i = 0; i < plan.connections; i++) {
        uint64_t due = pace_due(&pace, i, lines[i].number);
        if (due < earliest && (due > now || lines[i].left == 0))
            earliest = due;
    }
    if (earliest == UINT64_MAX) /* all are late: look again soon */
        earliest = now + 1000000;
    struct itimerspec at = { .it_value = { (time_t)(earliest / 1000000000), (long)(earliest % 1000000000) } };
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void ask_all(void)
{
    for (unsigned i = 0; i < plan.connections; i++)
        if (lines[i].channel.established && lines[i].left == 0)
            ask(&lines[i]);
    if (pace.between)
        set_timer();
}

static void wait_once(void)
{
    struct epoll_event events[64];
    uint64_t times;
    bool is_due = false;
    int n = epoll_wait(set, events, 64, 1000);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            serve(events[i].data.ptr);
        else
            is_due = read(timer, &times, sizeof times) > 0;
    }
    if (is_due)
        ask_all();
}

static bool all_established(void)
{
    for (unsigned i = 0; i < plan.connections; i++)
        if (!lines[i].channel.established)
            return false;
    return true;
}

void lines_open(const struct plan *wanted)
{
    static struct histogram unused;
    struct epoll_event due = { .events = EPOLLIN };

    plan = *wanted;
    latencies = &unused;
    lines = calloc(plan.connections, sizeof *lines);
    set = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!lines || set < 0 || timer < 0 || epoll_ctl(set, EPOLL_CTL_ADD, timer, &due) != 0)
        give_up("cannot begin");
    for (unsigned i = 0; i < plan.connections; i++) {
        lines[i].began = now_ns();
        dial(&lines[i]);
    }
    while (!plan.closes && !all_established())
        wait_once();
    pace = (struct pace){ now_ns() + 1000000, plan.rate > 0 ? (uint64_t)(1e9 / plan.rate) : 0,
                          plan.connections };
    ask_all();
}

void lines_run(uint64_t ns, struct histogram *into)
{
    uint64_t end = now_ns() + ns;
    latencies = into;
    while (now_ns() < end)
        wait_once();
}
