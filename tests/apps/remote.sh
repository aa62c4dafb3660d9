#!/bin/bash
# What works on something that is elsewhere: gdb on a program (gdbserver asks for signals when input comes), X clients, disks by QEMU's
# coroutines, Subversion (a process or a thread a connection).
# packages: gcc gdb gdbserver libc6-dev qemu-utils subversion x11-utils xvfb
# program: gdb
# program: Xvfb
# program: qemu-nbd
# program: Subversion
# timeout: 90
# tsan: gdb would stop within the thread sanitizer, and qemu changes stacks
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
for tool in gcc gdb gdbserver Xvfb xdpyinfo qemu-nbd qemu-img svnserve svn; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
version gdb "$(gdb --version | sed -n '1s/.* //p')"
version Xvfb "$(dpkg-query -W -f '${Version}' xvfb | sed 's/.*://; s/-.*//')"
version qemu-nbd "$(qemu-nbd --version | sed -n '1s/qemu-nbd \([0-9.]*\).*/\1/p')"
version Subversion "$(svn --version --quiet)"
random_file disk 5001216
random_file 1m 1048576
export HOME=$work

cat >"$work/debugged.c" <<'C'
int sum;
int add(int x) { sum += x; return sum; }
int main(void) { for (int i = 0; i < 5; i++) add(i); return sum; }
C
gcc -g -O0 -o "$work/debugged" "$work/debugged.c" || fail "debugged.c does not compile"
debugs() {
    port=$(free_port)
    spawn gdbserver mesh server gdbserver --once "127.0.0.1:$port" "$work/debugged"
    wait_port "$port"
    limit 40 mesh client gdb -q -batch -nx -ex 'set debuginfod enabled off' -ex "target remote 127.0.0.1:$port" -ex 'break add' -ex c -ex c -ex c \
        -ex 'print x' -ex 'print sum' -ex 'dump binary memory '"$work/got"' main main+4096' -ex delete -ex c "$work/debugged" |
        grep -oE '^\$.*|exited.*' && sums <"$work/got"
}
shows() {
    local number=$((RANDOM % 4000 + 1000))
    port=$((6000 + number))
    spawn xvfb mesh server Xvfb ":$number" -listen tcp -nolisten unix -nolisten local -ac -screen 0 320x240x24
    wait_port "$port" 20
    limit 20 mesh client xdpyinfo -queryExtensions -display "127.0.0.1:$number" | grep -v '^name of display'
}
exports() {
    port=$(free_port)
    cp "$work/files/disk" "$work/disk"
    spawn nbd mesh server qemu-nbd -f raw -b 127.0.0.1 -p "$port" -t -e 4 -x disk "$work/disk"
    wait_port "$port"
    limit 20 mesh client qemu-img convert -O raw "nbd://127.0.0.1:$port/disk" "$work/got" && same "$work/files/disk" "$work/got" &&
        limit 20 mesh client qemu-img convert -n -f raw -O raw "$work/got" "nbd://127.0.0.1:$port/disk" &&
        limit 20 mesh client qemu-img info "nbd://127.0.0.1:$port/disk" | grep 'virtual size' && sums <"$work/disk"
}
svn_() {
    limit 30 mesh client svn --non-interactive "$@"
}
# versions [-T]: by a thread, or by a process a connection.
versions() {
    port=$(free_port)
    rm -rf "$work/repository" "$work/one" "$work/two"
    svnadmin create "$work/repository" && printf '[general]\nanon-access = write\n' >"$work/repository/conf/svnserve.conf"
    spawn svnserve mesh server svnserve -d --foreground --listen-host 127.0.0.1 --listen-port "$port" -r "$work/repository" "$@"
    wait_port "$port"
    svn_ -q checkout "svn://127.0.0.1:$port/" "$work/one" && cp "$work/files/1m" "$work/one/a" && svn_ -q add "$work/one/a" &&
        svn_ -q commit -m x "$work/one" && svn_ -q checkout "svn://127.0.0.1:$port/" "$work/two" && sums <"$work/two/a" &&
        svn_ log -q "svn://127.0.0.1:$port/" | grep -c '^r1'
}
try "gdb: a program is stopped, looked at, and ends" alike debugs
try "gdb: both sides are proved" both_proved "$port"
try "Xvfb: says what it can do" alike shows
try "Xvfb: both sides are proved" both_proved "$port"
try "qemu-nbd: a disk is read, and written" alike exports
try "qemu-nbd: both sides are proved" both_proved "$port"
try "Subversion: 1 MiB committed and checked out, by processes" alike versions
try "Subversion: the same by threads" alike versions -T
try "Subversion: both sides are proved" both_proved "$port"
[ "$failures" -eq 0 ]
