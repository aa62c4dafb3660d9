#!/bin/bash
# rsync's daemon, a process a connection, to which the client forks a reader and a writer; git's daemon, which starts git on the connection.
# packages: git rsync
# program: rsync
# program: git
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

command -v rsync >/dev/null || skip "rsync is not installed"
command -v git >/dev/null || skip "git is not installed"
version rsync "$(rsync --version | awk 'NR == 1 { print $3 }')"
version git "$(git --version | awk '{ print $3 }')"
random_file 1m 1048576
random_file 4m 4194304
mkdir -p "$work/home"
export HOME=$work/home
git config --global user.name somebody
git config --global user.email somebody@example.org
git config --global init.defaultBranch main

# rsyncd PORT: the module "from" is the files, "to" may be written.
rsyncd() {
    mkdir -p "$work/to"
    printf 'use chroot = no\nuid = %s\ngid = %s\nlog file = /dev/null\n[from]\npath = %s\n[to]\npath = %s\nread only = no\n' \
        "$(id -un)" "$(id -gn)" "$work/files" "$work/to" >"$work/rsyncd.conf"
    spawn rsyncd mesh server rsync --daemon --no-detach --config="$work/rsyncd.conf" --address=127.0.0.1 --port="$1"
    wait_port "$1"
}
copy() {
    limit 30 mesh client rsync -r --timeout=15 "$@"
}
fetches() {
    rm -rf "$work/got" && copy "rsync://127.0.0.1:$1/from/" "$work/got/" && diff -r "$work/files" "$work/got"
}
# The second time only what has changed: a line in the middle.
sends() {
    rm -rf "$work/to/"* "$work/changed" && cp -r "$work/files" "$work/changed" && copy "$work/changed/" "rsync://127.0.0.1:$1/to/" || return 1
    { head -c 2000000 "$work/files/4m"; echo changed; tail -c +2000001 "$work/files/4m"; } >"$work/changed/4m"
    copy -z -I --no-whole-file "$work/changed/" "rsync://127.0.0.1:$1/to/" && diff -r "$work/changed" "$work/to"
}

mkdir "$work/repositories" && git init -q "$work/repositories/one"
(
    cd "$work/repositories/one" || exit 1
    git config daemon.receivepack true
    for i in $(seq 12); do
        echo "$i" >"$i" && git add "$i" && git commit -qm "$i"
    done
    cp "$work/files/4m" . && git add 4m && git commit -qm large
) >"$work/git.log" 2>&1 || fail "cannot make a repository"
gitd() {
    spawn gitd mesh server git daemon --export-all --base-path="$work/repositories" --listen=127.0.0.1 --port="$1" --reuseaddr
    wait_port "$1"
}
remote() {
    limit 30 mesh client git "$@"
}
clones() {
    rm -rf "$work/clone" && remote clone -q "git://127.0.0.1:$1/one" "$work/clone" && same "$work/files/4m" "$work/clone/4m" &&
        git -C "$work/clone" rev-list --count HEAD
}
pushes() {
    local branch=branch$1
    head -c 1000000 /dev/urandom >"$work/clone/new"
    git -C "$work/clone" add new && git -C "$work/clone" commit -qm new && remote -C "$work/clone" push -q origin "HEAD:$branch" &&
        [ "$(git -C "$work/repositories/one" rev-parse "$branch")" = "$(git -C "$work/clone" rev-parse HEAD)" ] &&
        remote -C "$work/clone" fetch -q
}

port=$(free_port)
rsyncd "$port"
try "rsync: 5 MB from its daemon" fetches "$port"
try "rsync: 5 MB to it, then what has changed" sends "$port"
try "rsync: both sides are proved" both_proved "$port"
port=$(free_port)
gitd "$port"
try "git: a clone of 4 MB" clones "$port"
try "git: 1 MB pushed, and fetched" pushes "$port"
try "git: both sides are proved" both_proved "$port"

works() {
    local rsync git
    rsync=$(free_port) git=$(free_port)
    rsyncd "$rsync"
    gitd "$git"
    fetches "$rsync" && sends "$rsync" && clones "$git" && pushes "$git" && echo fine
}
try "rsync, git: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
