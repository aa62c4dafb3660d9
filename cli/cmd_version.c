/* meshctl version: what runs here, the library and its OpenSSL included. */
#include <openssl/crypto.h>

#include "commands.h"
#include "library.h"
#include "options.h"

#include "base/banned.h"

static int run(const struct command *self, int argc, char **argv)
{
    const char *wanted = NULL;
    char path[PATH_MAX];
    struct library_versions versions;
    struct buf why = BUF_INIT;
    struct options o;
    int letter;

    options_begin(&o, self, argc, argv);
    while ((letter = options_next(&o)) != OPTION_END) {
        if (letter != 'l')
            return options_stop(&o, letter);
        wanted = o.value;
    }
    if (!options_at_most(&o, 0))
        return STATUS_USAGE;
    printf("meshctl          %s\n", MESHSHIM_VERSION);
    printf("its OpenSSL      %s\n", OpenSSL_version(OPENSSL_VERSION));
    if (!library_find(wanted, path, &why)) {
        printf("libmeshshim.so   not found\n");
        complain("%s", buf_text(&why));
        buf_free(&why);
        return STATUS_PROBLEM;
    }
    library_versions(path, &versions);
    printf("libmeshshim.so   %s (%s)\nits OpenSSL      %s\n", versions.own, path, versions.openssl);
    return STATUS_OK;
}

static const struct option_row rows[] = {
    { 'l', "library", "FILE", "libmeshshim.so, where it is not beside meshctl or in ../lib" },
    { 0 },
};

const struct command command_version = {
    "version",
    "",
    "Versions of meshctl, the library and their OpenSSL",
    "The library carries an OpenSSL of its own: its security fixes come with a new build of the library.",
    rows,
    run,
    false,
};
