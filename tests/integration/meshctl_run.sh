#!/bin/bash
# meshctl run: a program runs with the library in front and all else as it was; what is missing is told, and nothing is run.
# shellcheck disable=SC2015,SC2016 # what is quoted is for another shell
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/integration/running.bash
. "$(dirname "$0")/running.bash"

# preload NAME WANTED BEFORE: what LD_PRELOAD is in the program where it held BEFORE.
preload() {
    # A meshctl with sanitizers objects to any library in front of theirs.
    is "$1" "$(ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=$3 "${run[@]}" -- sh -c 'echo "$LD_PRELOAD"' | tail -n 1)" "$2"
}

preloads() {
    local ours=$work/libfake.so
    mkdir lib
    gcc -shared -fPIC -o libother.so -xc /dev/null
    cp libother.so lib/libasan.so.9 && cp libother.so lib/libtsan.so.9
    preload preload "$ours" ''
    preload preload-in-front "$ours:$work/libother.so" "$work/libother.so"
    preload preload-once "$ours:$work/libother.so" "$work/libother.so $ours"
    preload preload-behind-sanitizers "$work/lib/libtsan.so.9:$work/lib/libasan.so.9:$ours:$work/libother.so" \
        "$work/libother.so:$work/lib/libtsan.so.9 $work/lib/libasan.so.9"
}

# A program that was built with a sanitizer ends at once where another library stands in front of its run-time library.
sanitized() {
    gcc -fsanitize=address -o address program.c || fail "cannot link with the address sanitizer"
    ASAN_OPTIONS=detect_leaks=0 runs address-sanitizer 7 -- ./address
    [ "$slow" -eq 1 ] || return 0 # meshctl itself is such a program
    ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=$work/libother.so runs address-sanitizer-and-more 7 -- ./address
}

surroundings() {
    is configuration "$(cd / && "$meshctl" run --config "$work/./mesh.ini" --library "$work/libfake.so" -- \
        sh -c 'echo "$MESHSHIM_CONFIG"' | tail -n 1)" "$work/mesh.ini"
    is arguments "$("${run[@]}" sh -c 'echo "$0 $*"' --help -x 'a b' | tail -n 1)" '--help -x a b'
    PATH=$work:$PATH runs found-in-path 7 -- dynamic
}

# What the configuration says of programs that cannot be meshed.
unmeshable() {
    cp mesh.ini refuses.ini
    { cat refuses.ini && echo 'unmeshable = warn'; } >mesh.ini
    "${run[@]}" -- ./static >out 2>err
    is unmeshable-warn "$?$(grep -c 'linked statically.*all the same, not meshed' err)$(wc -l <err)" 711
    refused unmeshable-not-found 'cannot find' ./nowhere
    MESHSHIM_UNMESHABLE=refuse refused unmeshable-by-environment 'linked statically' ./static
    { cat refuses.ini && echo 'unmeshable = refuse'; } >mesh.ini
    refused unmeshable-refuse 'linked statically' ./static
    { cat refuses.ini && printf 'unmeshable = warn\nbogus = 1\n'; } >mesh.ini
    refused unmeshable-by-a-bad-file 'linked statically' ./static
    mv refuses.ini mesh.ini
    MESHSHIM_UNMESHABLE=warn "${run[@]}" -- ./static >out 2>err
    is unmeshable-warn-by-environment $? 7
}

# What would leave a program in plain text without a word.
closed() {
    "${run[@]}" --force -- ./static >out 2>err
    is forced $? 7
    is forced-said "$(grep -c 'linked statically.*all the same' err)" 1
    "$meshctl" run --library libfake.so --config absent.ini -- ./dynamic >out 2>err
    is no-configuration $? 1
    "$meshctl" run --library absent.so --config mesh.ini -- ./dynamic >out 2>err
    is no-library $? 1
    "$meshctl" run --library dynamic --config mesh.ini -- ./dynamic >out 2>err
    is not-a-library $? 1
    mkdir 'a b' && cp libfake.so 'a b/'
    "$meshctl" run --library 'a b/libfake.so' --config mesh.ini -- ./dynamic >out 2>err
    is library-path-with-space $? 1
    "${run[@]}" >out 2>err
    is no-program $? 2
}

preloads
sanitized
surroundings
unmeshable
closed
[ "$failures" -eq 0 ]
