#!/bin/bash
# meshctl run: a program that cannot be meshed is refused in a sentence; another one is run with the library in front.
# shellcheck disable=SC2015,SC2016 # what is quoted is for another shell
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
[ -x "$meshctl" ] || fail "$meshctl is not built: make"
cd "$work" || exit 1
printf '[workload]\nname = web\nruntime_dir = %s/run\n' "$work" >mesh.ini
unset LD_PRELOAD MESHSHIM_CONFIG

# A stand-in for the library, for these are questions about meshctl: it tells that it was loaded.
cat >fake.c <<'C'
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { (void)!write(1, "loaded\n", 7); }
C
echo 'int main(void) { return 7; }' >program.c
gcc -shared -fPIC -o libfake.so fake.c && gcc -o dynamic program.c && gcc -static -o static program.c ||
    fail "cannot compile the programs to try"
run=("$meshctl" run --config mesh.ini --library libfake.so)

# refused NAME WORDS PROGRAM…: exit status 1, one line on standard error that says WORDS, and nothing was run.
refused() {
    local name=$1 words=$2
    shift 2
    "${run[@]}" -- "$@" >out 2>err
    if [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q -- "$words" err && [ ! -s out ]; then
        ok "meshctl_run/$name"
    else
        not_ok "meshctl_run/$name: expected a refusal that says '$words'"
        sed 's/^/#   /' out err
    fi
}

# runs NAME STATUS ARGUMENTS…: the library was loaded and the exit status is the program's.
runs() {
    local name=$1 status=$2 got
    shift 2
    "${run[@]}" "$@" >out 2>err
    got=$?
    if [ "$got" -eq "$status" ] && grep -q loaded out; then
        ok "meshctl_run/$name"
    else
        not_ok "meshctl_run/$name: exit status $got, expected $status with the library loaded"
        sed 's/^/#   /' out err
    fi
}

is() {
    if [ "$2" = "$3" ]; then ok "meshctl_run/$1"; else not_ok "meshctl_run/$1: '$2', expected '$3'"; fi
}

# patch FILE OFFSET BYTES: overwrites.
patch() {
    printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

programs() {
    runs dynamic 7 -- ./dynamic
    refused static 'linked statically' ./static
    cp dynamic setuid && chmod u+s setuid
    refused set-uid 'set-uid' ./setuid
    cp dynamic setgid && chmod g+s setgid
    refused set-gid 'set-gid' ./setgid
    cp dynamic capable
    if setcap cap_net_bind_service=ep capable 2>/dev/null; then
        refused capabilities 'capabilities' ./capable
    else
        echo "skip meshctl_run/capabilities: this file system or user cannot set them"
    fi
    refused not-found "no program 'no-such-program' in PATH" no-such-program
    refused no-such-path 'cannot find' ./nowhere/program
    refused directory 'not an executable file' "$work"
    refused not-executable 'not an executable file' ./program.c
}

# Real programs with a few bytes changed, as their makers would have left them.
bytes() {
    local offset
    cp dynamic musl
    offset=$(grep -obUa '/lib64/ld-linux' musl | head -n 1 | cut -d: -f1)
    patch musl "$offset" '/lib/ld-musl-x86_64.so.1\0'
    refused musl 'built for musl' ./musl
    cp dynamic thirtytwo && patch thirtytwo 4 '\001'
    refused 32-bit '32-bit' ./thirtytwo
    cp dynamic processor && patch processor 18 '\267\001'
    refused processor 'another processor' ./processor
    cp dynamic big-endian && patch big-endian 5 '\002'
    refused big-endian 'another processor' ./big-endian
    head -c 60 dynamic >cut-short && chmod +x cut-short
    refused cut-short 'is damaged' ./cut-short
    head -c 64 dynamic >header && chmod +x header
    refused header-alone 'is damaged' ./header
    printf '\001\002\000\003binary' >rubbish && chmod +x rubbish
    refused rubbish 'neither an ELF program nor a script' ./rubbish
}

# As Go's linker does it: a note, or a section; cgo programs are linked dynamically and have both.
go() {
    printf '%s\n' '.section .note.go.buildid,"a",@note' '.long 4, 4, 4' '.ascii "Go\0\0"' '.ascii "abcd"' \
        '.section .note.GNU-stack,"",@progbits' >note.s
    gcc -o go-note program.c note.s || fail "cannot assemble the note"
    refused go-note 'Go program' ./go-note
    # Without section names the note in its segment must do.
    cp go-note go-stripped && patch go-stripped 40 '\0\0\0\0\0\0\0\0' && patch go-stripped 60 '\0\0\0\0'
    refused go-stripped 'Go program' ./go-stripped
    printf '%s\n' '.section .go.buildinfo,"a"' '.ascii "x"' '.section .note.GNU-stack,"",@progbits' >info.s
    gcc -static -o go-static program.c info.s || fail "cannot assemble the section"
    refused go-static 'Go program' ./go-static
}

scripts() {
    printf '#!/bin/sh\nexit 5\n' >script && chmod +x script
    runs script 5 -- ./script
    printf '#! /usr/bin/env -S sh -e\nexit 6\n' >by-env && chmod +x by-env
    runs script-by-env 6 -- ./by-env
    printf '#!%s/static\n' "$work" >by-static && chmod +x by-static
    refused script-of-static 'static is linked statically' ./by-static
    printf '#!%s/by-static\n' "$work" >nested && chmod +x nested
    refused script-of-script 'static is linked statically' ./nested
    printf '#!%s/loop\n' "$work" >loop && chmod +x loop
    refused script-of-itself 'deeper than the kernel follows' ./loop
    printf '#!/no/such/shell\n' >orphan && chmod +x orphan
    refused script-without-shell 'cannot find /no/such/shell' ./orphan
    printf 'exit 4\n' >bare && chmod +x bare
    runs no-first-line 4 -- ./bare
}

surroundings() {
    is preload "$("${run[@]}" -- sh -c 'echo "$LD_PRELOAD"' | tail -n 1)" "$work/libfake.so"
    gcc -shared -fPIC -o libother.so -xc /dev/null
    # A meshctl with sanitizers objects to any library in front of theirs.
    is preload-in-front "$(ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=$work/libother.so "${run[@]}" -- sh -c 'echo "$LD_PRELOAD"' | tail -n 1)" \
        "$work/libfake.so:$work/libother.so"
    is configuration "$(cd / && "$meshctl" run --config "$work/./mesh.ini" --library "$work/libfake.so" -- \
        sh -c 'echo "$MESHSHIM_CONFIG"' | tail -n 1)" "$work/mesh.ini"
    is arguments "$("${run[@]}" sh -c 'echo "$0 $*"' --help -x 'a b' | tail -n 1)" '--help -x a b'
    PATH=$work:$PATH runs found-in-path 7 -- dynamic
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

programs
bytes
go
scripts
surroundings
closed
[ "$failures" -eq 0 ]
