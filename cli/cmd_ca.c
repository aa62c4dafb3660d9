/* meshctl ca init, ca issue: identities without any other tool. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "authority.h"
#include "commands.h"
#include "files.h"
#include "options.h"

#include "base/banned.h"

enum { HOSTS_MOST = 32, SKEW = 60 }; /* clocks of two machines may differ by a minute */
enum { OPTION_NOT_BEFORE = 256, OPTION_NOT_AFTER, OPTION_TTL, OPTION_DNS, OPTION_TRUST_DOMAIN };

/* The dates as asked for: a length from now, or (for tests) both ends. */
struct dates {
    long long ttl, not_before, not_after;
    bool has_not_before, has_not_after;
};

/* True where the option is one of ours; *right tells whether its value could be used. */
static bool dates_take(struct dates *dates, const struct options *o, int letter, bool *right)
{
    *right = true;
    if (letter == OPTION_TTL)
        *right = duration_parse(o->value, &dates->ttl);
    else if (letter == OPTION_NOT_BEFORE)
        *right = dates->has_not_before = timestamp_parse(o->value, &dates->not_before);
    else if (letter == OPTION_NOT_AFTER)
        *right = dates->has_not_after = timestamp_parse(o->value, &dates->not_after);
    else
        return false;
    if (!*right)
        complain_usage(o->command, "'%s' is not %s", o->value,
                       letter == OPTION_TTL ? "a duration such as 45m, 24h or 90d"
                                            : "a time such as 2030-01-31T12:00:00Z");
    return true;
}

static struct validity dates_validity(const struct dates *dates)
{
    long long now = (long long)time(NULL);
    struct validity v;
    v.not_before = dates->has_not_before ? dates->not_before : now - SKEW;
    v.not_after = dates->has_not_after ? dates->not_after : now + dates->ttl;
    return v;
}

static void write_time(int64_t seconds, char text[32])
{
    time_t when = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&when, &tm) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(text, 32, "%" PRId64, seconds);
}

/* An earlier failure's sentence; returns STATUS_PROBLEM. */
static int problem(struct buf *why)
{
    complain("%s", buf_text(why));
    buf_free(why);
    return STATUS_PROBLEM;
}

static int init(const char *directory, const char *trust_domain, const struct dates *dates)
{
    struct validity validity = dates_validity(dates);
    struct buf why = BUF_INIT;
    char until[32];

    if (validity.not_before >= validity.not_after)
        return complain_usage(&command_ca_init, "the root would end before it begins");
    if (!authority_create(directory, trust_domain, validity, &why))
        return problem(&why);
    write_time(validity.not_after, until);
    printf("root of trust domain %s in %s/%s, valid until %s\nits key, %s/%s, signs every identity: keep it "
           "from other "
           "users and off the machines of the mesh\n",
           trust_domain, directory, AUTHORITY_ROOT, until, directory, AUTHORITY_KEY);
    return STATUS_OK;
}

static int run_init(const struct command *self, int argc, char **argv)
{
    struct dates dates = { .ttl = 3650LL * 86400 };
    const char *directory = NULL, *trust_domain = "cluster.local";
    struct options o;
    int letter;
    bool right;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter == 'd')
            directory = o.value;
        else if (letter == OPTION_TRUST_DOMAIN)
            trust_domain = o.value;
        else if (!dates_take(&dates, &o, letter, &right))
            return options_stop(&o, letter);
        else if (!right)
            return STATUS_USAGE;
    }
    if (!options_at_most(&o, 0))
        return STATUS_USAGE;
    if (!directory)
        return complain_usage(self, "--dir is missing: where is the authority to be made");
    if (!authority_trust_domain_valid(trust_domain))
        return complain_usage(
            self, "'%s' is not a trust domain; expected lower-case letters, digits, '.', '-', '_'",
            trust_domain);
    return init(directory, trust_domain, &dates);
}

/*
 * The new files are all on disk before the first takes its place, so a full disk changes nothing. Roots first, then the
 * key, the certificate last: who sees the new certificate finds its key and root. A reader in between finds an old
 * certificate with a new key, sees that they do not match, and keeps what it has.
 */
static bool replace_all(const char *directory, const struct leaf *leaf, struct buf *why)
{
    const struct {
        const char *name;
        const struct buf *data;
        mode_t mode;
    } files[] = { { "ca.pem", &leaf->root, 0644 },
                  { "key.pem", &leaf->key, 0600 },
                  { "cert.pem", &leaf->certificate, 0644 } };
    enum { COUNT = sizeof files / sizeof *files };
    struct staged *staged = calloc(COUNT, sizeof *staged);
    bool done = staged != NULL;

    for (size_t i = 0; done && i < COUNT; i++)
        done = file_stage(&staged[i], directory, files[i].name, files[i].data, files[i].mode, why);
    for (size_t i = 0; done && i < COUNT; i++)
        done = file_commit(&staged[i], why);
    for (size_t i = 0; staged && i < COUNT; i++)
        file_drop(&staged[i]);
    free(staged);
    directory_sync(directory);
    return done;
}

/* Two that issue into one directory at once take turns, or one's key could meet the other's certificate. */
static bool store(const char *directory, const struct leaf *leaf, struct buf *why)
{
    bool done;
    int fd;

    if (!directory_make(directory, 0755, why))
        return false;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)flock(fd, LOCK_EX);
    done = replace_all(directory, leaf, why);
    if (fd >= 0)
        close(fd);
    return done;
}

static int issue(const char *authority_dir, const struct leaf_request *request, const char *out)
{
    struct buf why = BUF_INIT;
    struct authority *authority = authority_open(authority_dir, &why);
    struct leaf leaf = { .key = BUF_INIT };
    char until[32];
    bool done = authority && authority_issue(authority, request, &leaf, &why) && store(out, &leaf, &why);

    if (done) {
        write_time(leaf.not_after, until);
        printf("%s in %s (cert.pem, key.pem, ca.pem), valid until %s\n", leaf.spiffe_id, out, until);
        if (leaf.shortened)
            complain("the certificate ends with its root, earlier than was asked for; "
                     "'meshctl ca init' in another directory makes a root that lasts");
    }
    leaf_free(&leaf);
    authority_free(authority);
    if (!done)
        return problem(&why);
    buf_free(&why);
    return STATUS_OK;
}

/* "NS/NAME" into its parts, in a copy that the request borrows. */
static bool split_workload(char *text, struct leaf_request *request)
{
    char *slash = strchr(text, '/');
    if (!slash)
        return false;
    *slash = '\0';
    request->namespace_ = text;
    request->name = slash + 1;
    return authority_segment_valid(request->namespace_) && authority_segment_valid(request->name);
}

struct issue_options {
    const char *directory, *workload, *out;
    const char *hosts[HOSTS_MOST];
    size_t host_count;
    struct dates dates;
};

static bool take_host(struct issue_options *wanted, const struct options *o)
{
    if (!authority_host_valid(o->value)) {
        complain_usage(o->command, "'%s' is neither a DNS name nor an address", o->value);
        return false;
    }
    if (wanted->host_count == HOSTS_MOST) {
        complain_usage(o->command, "more than %d --dns", HOSTS_MOST);
        return false;
    }
    wanted->hosts[wanted->host_count++] = o->value;
    return true;
}

static int issue_checked(const struct command *self, const struct issue_options *wanted)
{
    struct leaf_request request = { .hosts = wanted->hosts, .host_count = wanted->host_count };
    char workload[256];

    if (!wanted->directory || !wanted->workload || !wanted->out)
        return complain_usage(self, "%s is missing",
                              !wanted->directory  ? "--dir (the authority)"
                              : !wanted->workload ? "--workload NAMESPACE/NAME"
                                                  : "--out (where the files go)");
    snprintf(workload, sizeof workload, "%s", wanted->workload);
    if (!split_workload(workload, &request))
        return complain_usage(
            self,
            "'%s' is not NAMESPACE/NAME; expected two parts of at most 63 letters, digits, '.', '-', "
            "'_'",
            wanted->workload);
    request.validity = dates_validity(&wanted->dates);
    if (request.validity.not_before >= request.validity.not_after)
        return complain_usage(self, "the certificate would end before it begins");
    return issue(wanted->directory, &request, wanted->out);
}

static int run_issue(const struct command *self, int argc, char **argv)
{
    struct issue_options wanted = { .dates.ttl = 86400 };
    struct options o;
    int letter;
    bool right;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        right = true;
        if (letter == 'd')
            wanted.directory = o.value;
        else if (letter == 'w')
            wanted.workload = o.value;
        else if (letter == 'o')
            wanted.out = o.value;
        else if (letter == OPTION_DNS)
            right = take_host(&wanted, &o);
        else if (!dates_take(&wanted.dates, &o, letter, &right))
            return options_stop(&o, letter);
        if (!right)
            return STATUS_USAGE;
    }
    return options_at_most(&o, 0) ? issue_checked(self, &wanted) : STATUS_USAGE;
}

#define DATE_ROWS                                                                                            \
    { OPTION_NOT_BEFORE, "not-before", "TIME", "begins then (RFC 3339, UTC); for testing" },                 \
    {                                                                                                        \
        OPTION_NOT_AFTER, "not-after", "TIME", "ends then, instead of --ttl; for testing"                    \
    }

static const struct option_row init_rows[] = {
    { 'd', "dir", "DIR", "where the authority is made: ca.pem and ca-key.pem" },
    { OPTION_TRUST_DOMAIN, "trust-domain", "NAME", "the trust domain (default cluster.local)" },
    { OPTION_TTL, "ttl", "DURATION", "how long the root is valid (default 3650d)" },
    DATE_ROWS,
    { 0 },
};

static const struct option_row issue_rows[] = {
    { 'd', "dir", "DIR", "the authority, as 'meshctl ca init' made it" },
    { 'w', "workload", "NS/NAME", "whose identity: spiffe://TRUST_DOMAIN/ns/NS/sa/NAME" },
    { 'o', "out", "DIR", "where cert.pem, key.pem and ca.pem go" },
    { OPTION_TTL, "ttl", "DURATION", "how long it is valid (default 24h; never longer than the root)" },
    { OPTION_DNS, "dns", "HOST",
      "a DNS name or address as well, for peers that check those; may be repeated" },
    DATE_ROWS,
    { 0 },
};

const struct command command_ca_init = {
    "ca init",
    "",
    "A new root of trust: an ECDSA P-256 key and its certificate",
    "The directory is made with mode 0700 and the key with 0600. An authority that is there already is\n"
    "never overwritten. Whoever holds the key can be anybody in the mesh: keep it off its machines.",
    init_rows,
    run_init,
    false,
};

const struct command command_ca_issue = {
    "ca issue",
    "",
    "An identity for one workload, signed by the root",
    "Each run makes a new key. Existing files are replaced, each as a whole, the certificate last: programs\n"
    "that watch cert.pem find the key that belongs to it. Put the three paths into [workload] of mesh.ini.",
    issue_rows,
    run_issue,
    false,
};
