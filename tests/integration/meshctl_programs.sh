#!/bin/bash
# What cannot be meshed is recognised by its file, and refused in one sentence; what can is run. With real programs.
# packages: musl-tools gosu libcap2-bin
# shellcheck disable=SC2016 # what is quoted is for another shell
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/integration/running.bash
. "$(dirname "$0")/running.bash"

# patch FILE OFFSET BYTES: overwrites.
patch() {
    printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# script FILE LINE…: executable, a line each.
script() {
    local file=$1
    shift
    printf '%s\n' "$@" >"$file" && chmod +x "$file"
}

# doubted NAME WORDS PROGRAM: it runs, with one line on standard error that says WORDS.
doubted() {
    runs "$1" 7 -- "$3"
    is "$1-said" "$(grep -c -- "$2" err)/$(wc -l <err)" 1/1
}

linkage() {
    runs dynamic 7 -- ./dynamic
    is dynamic-quiet "$(cat err)" ''
    refused static 'linked statically' ./static
    cp static tini && refused static-door 'linked statically.*put meshctl behind it: tini ' ./tini
    gcc -static-pie -o static-pie program.c || fail "cannot link a static-pie"
    refused static-pie 'linked statically' ./static-pie
    gcc -shared -fPIC -Wl,-soname,libnothing.so.1 -o libnothing.so.1 -xc /dev/null
    refused shared-library 'is a shared library (libnothing.so.1)' ./libnothing.so.1
    gcc -c -o object.o program.c && chmod +x object.o
    refused object 'object file' ./object.o
    gcc -no-pie -o no-pie program.c && strip no-pie
    runs no-pie-stripped 7 -- ./no-pie
    runs by-the-loader 7 -- "$(readelf -lW dynamic | sed -n 's/.*interpreter: \(.*\)\]/\1/p')" ./dynamic
}

privileges() {
    cp dynamic setuid && chmod u+s setuid
    refused set-uid 'set-uid' ./setuid
    cp dynamic setgid && chmod g+s setgid
    refused set-gid 'set-gid' ./setgid
    cp dynamic locking && chmod g+s,g-x locking # without the group's x it means something else
    runs set-gid-without-x 7 -- ./locking
    cp dynamic sudo && chmod u+s sudo
    refused set-uid-advice 'start a copy without the bit (chmod u-s).*(--force runs it all the same' ./setuid
    refused door 'put meshctl behind it: sudo ' ./sudo
    cp dynamic capable
    if setcap cap_net_bind_service=ep capable 2>/dev/null; then
        refused capabilities 'file capabilities.*AmbientCapabilities' ./capable
    else
        echo "skip meshctl_programs/capabilities: this file system or user cannot set them"
    fi
}

names() {
    refused not-found "no program 'no-such-program' in PATH" no-such-program
    refused no-such-path 'cannot find' ./nowhere/program
    refused directory 'is a directory' "$work"
    refused not-executable 'not an executable file' ./program.c
    refused device 'not an executable file' /dev/null
    refused empty-name "no program '' in PATH" ''
}

other_libc() {
    musl-gcc -o musl program.c || fail "musl-gcc cannot link"
    refused musl 'built for musl' ./musl
    musl-gcc -static -o musl-static program.c && refused musl-static 'linked statically' ./musl-static
    gcc -o uclibc -Wl,--dynamic-linker=/lib/ld64-uClibc.so.0 program.c
    refused another-libc 'another C library than glibc' ./uclibc
    gcc -o nowhere -Wl,--dynamic-linker=/nowhere/ld-linux-x86-64.so.2 program.c
    refused loader-absent 'needs the dynamic loader /nowhere/ld-linux' ./nowhere
}

# A loader with a libc beside it, as those bring them who do not use the system's.
glibc() {
    local loader
    mkdir old same
    echo 'GLIBC_2.2.5 { }; GLIBC_2.17 { } GLIBC_2.2.5;' >old.map
    echo 'int old;' | gcc -shared -fPIC -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script=old.map -o old/libc.so.6 -xc -
    loader=$(readelf -lW dynamic | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
    cp "$loader" old/ld-linux.so.2 && ln -s "$loader" same/ld-linux.so.2
    gcc -o brings-old -Wl,--dynamic-linker="$work/old/ld-linux.so.2" program.c
    gcc -o brings-same -Wl,--dynamic-linker="$work/same/ld-linux.so.2" program.c
    # The stand-in needs what a library built here needs.
    echo '#include <pthread.h>
    void *need(void); void *need(void) { return (void *)pthread_create; }' | gcc -shared -fPIC -o needs.so -xc -
    "$meshctl" run --config mesh.ini --library needs.so -- ./brings-old >out 2>err
    is older-glibc "$?$(grep -o 'runs on glibc 2.17 (.*old/libc.so.6) and the library needs 2.34' err)" \
        "1runs on glibc 2.17 ($work/old/libc.so.6) and the library needs 2.34"
    "$meshctl" run --config mesh.ini --library needs.so -- ./brings-same >out 2>err
    is same-glibc $? 7
}

# Real programs with a few bytes changed, or cut off.
bytes() {
    local length
    if gcc -m32 -c -o thirtytwo.o -xc - <<<'void _start(void) { for (;;) ; }' && ld -m elf_i386 -o thirtytwo thirtytwo.o; then
        refused 32-bit '32-bit' ./thirtytwo
    else
        echo "skip meshctl_programs/32-bit: this compiler makes no 32-bit programs"
    fi
    cp dynamic class && patch class 4 '\001'
    refused 32-bit-by-its-class '32-bit' ./class
    cp dynamic processor && patch processor 18 '\267\001'
    refused processor 'another processor' ./processor
    cp dynamic big-endian && patch big-endian 5 '\002'
    refused big-endian 'another processor' ./big-endian
    for length in 20 60 64 200 3000 $(($(stat -c %s dynamic) / 2)); do
        head -c "$length" dynamic >cut-short && chmod +x cut-short
        refused "cut-short-at-$length" 'is damaged' ./cut-short
    done
    cp dynamic far && patch far 32 '\377\377\377\377\377\377\377\177' # where its segments are
    refused table-outside 'is damaged' ./far
    cp dynamic many && patch many 56 '\377\377'
    refused table-too-long 'is damaged' ./many
    printf '\001\002\000\003binary' >rubbish && chmod +x rubbish
    refused rubbish 'neither an ELF program nor a script' ./rubbish
    : >empty && chmod +x empty
    refused empty 'neither an ELF program nor a script' ./empty
}

# Go's linker leaves a note and sections; with cgo, programs are linked dynamically and have both.
go() {
    refused go 'Go program' gosu
    refused go-door 'put meshctl behind it: gosu … meshctl run -- PROGRAM (--force runs it all the same' gosu
    cp "$(command -v gosu)" go-stripped && patch go-stripped 40 '\0\0\0\0\0\0\0\0' && patch go-stripped 60 '\0\0\0\0'
    refused go-without-sections 'Go program' ./go-stripped
    printf '%s\n' '.section .note.go.buildid,"a",@note' '.long 4, 4, 4' '.ascii "Go\0\0"' '.ascii "abcd"' \
        '.section .note.GNU-stack,"",@progbits' >note.s
    gcc -o go-note program.c note.s || fail "cannot assemble the note"
    objcopy --rename-section .note.go.buildid=.note.other go-note
    refused cgo-by-note 'Go program' ./go-note
    local section
    for section in .go.buildinfo .gopclntab; do
        printf '%s\n' ".section $section,\"a\"" '.ascii "x"' '.section .note.GNU-stack,"",@progbits' >info.s
        gcc -o go-section program.c info.s || fail "cannot assemble the section"
        refused "cgo-by$section" 'Go program' ./go-section
    done
}

# Free Pascal's programs have a section of their own, and those with threads are linked dynamically.
pascal() {
    printf '%s\n' '.section .fpcdata,"aw"' '.ascii "x"' '.section .note.GNU-stack,"",@progbits' >pascal.s
    gcc -o pascal program.c pascal.s || fail "cannot assemble the section"
    refused pascal 'Free Pascal program' ./pascal
}

scripts() {
    script plain '#!/bin/sh' 'exit 5'
    runs script 5 -- ./plain
    script by-env '#! /usr/bin/env -S X=1 sh -e' 'exit 6'
    runs script-by-env 6 -- ./by-env
    script by-static "#!$work/static"
    refused script-of-static 'static is linked statically' ./by-static
    PATH=$work:$PATH
    script env-static '#!/usr/bin/env static'
    refused env-of-static 'static is linked statically' ./env-static
    script env-split '#!/usr/bin/env -S -u HOME X=1 static -x'
    refused env-split 'static is linked statically' ./env-split
    script env-whole '#!/usr/bin/env sh -e'
    refused env-without-split "no program 'sh -e' in PATH" ./env-whole
    script nested "#!$work/by-static"
    refused script-of-script 'static is linked statically' ./nested
    script loop "#!$work/loop"
    refused script-of-itself 'deeper than the kernel follows' ./loop
    script orphan '#!/no/such/shell'
    refused script-without-shell 'cannot find /no/such/shell' ./orphan
    script dos $'#!/bin/sh\r' $'exit 4\r'
    refused script-of-dos 'ends in a carriage return' ./dos
    script nobody '#! ' 'exit 4'
    refused script-of-nobody 'without an interpreter' ./nobody
    script bare 'exit 4'
    runs no-first-line 4 -- ./bare
    cp plain setuid-script && chmod u+s setuid-script # which the kernel ignores
    runs set-uid-script 5 -- ./setuid-script
}

wrappers() {
    script wrapper '#!/bin/sh' '# sets things up' 'set -e' 'HOME=/nowhere' 'export X="a b"' "exec $work/static \"\$@\""
    refused wrapper 'is a shell script that executes .*/static, and .*/static is linked statically' ./wrapper
    script quoted '#!/bin/bash' 'exec -a name env -u HOME X=1 "./static"'
    refused wrapper-by-env 'is linked statically' ./quoted
    script outer '#!/bin/sh' 'exec ./wrapper'
    refused wrapper-of-wrapper 'is linked statically' ./outer
    script perhaps '#!/bin/sh' 'if [ -n "$NEVER" ]; then' "    exec $work/static" 'fi' 'exit 7'
    doubted perhaps-wrapper 'executes .*/static' ./perhaps
    script wrapper-of-good '#!/bin/sh' 'exec 2>&1' 'exec ./dynamic'
    runs wrapper-of-good 7 -- ./wrapper-of-good
    script wrapper-of-variable '#!/bin/sh' 'x=./dynamic' 'exec $x' 'exec ./static'
    doubted wrapper-of-variable 'executes ./static' ./wrapper-of-variable
    script wrapper-of-itself '#!/bin/sh' 'X=1' 'exec ./wrapper-of-itself-2 || :' 'exit 7'
    script wrapper-of-itself-2 '#!/bin/sh' 'case x in x) exit 7 ;; esac' 'exec ./wrapper-of-itself'
    runs wrapper-of-itself 7 -- ./wrapper-of-itself
}

# May be in the way, and may not.
doubts() {
    gcc -shared -fPIC -Wl,-soname,liburing.so.2 -o liburing.so.2 -xc /dev/null
    gcc -shared -fPIC -Wl,-soname,libseccomp.so.2 -o libseccomp.so.2 -xc /dev/null
    export LD_LIBRARY_PATH=$work
    gcc -Wl,--no-as-needed -o uring program.c ./liburing.so.2
    doubted io_uring 'uses io_uring (liburing.so.2)' ./uring
    gcc -Wl,--no-as-needed -o seccomp program.c ./libseccomp.so.2
    doubted seccomp 'seccomp filter' ./seccomp
    unset LD_LIBRARY_PATH
    echo '#include <sys/prctl.h>
    const char message[] = "cannot set the seccomp filter";
    int main(void) { return prctl(PR_GET_SECCOMP) + 7; }' | gcc -o sandbox -xc -
    doubted sandbox-of-its-own 'seccomp filter' ./sandbox
    echo 'void io_uring_setup(void) { } int main(void) { return 7; }' | gcc -rdynamic -o carries -xc -
    doubted io_uring-inside 'uses io_uring (io_uring_setup)' ./carries
    echo '#include <sys/prctl.h>
    int main(void) { return prctl(PR_SET_NAME, "worker") + 7; }' | gcc -o names -xc -
    runs prctl-alone 7 -- ./names
    is prctl-alone-said "$(cat err)" ''
}

linkage
privileges
names
other_libc
glibc
bytes
go
pascal
scripts
wrappers
doubts
[ "$failures" -eq 0 ]
