#!/bin/bash
# meshctl's manners: exit statuses, help for every command, completion and the manual page that forget none, output that suits.
# shellcheck disable=SC2016 # what is quoted is for another shell
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
[ -x "$meshctl" ] || fail "$meshctl is not built: make"
cd "$work" || exit 1
unset MESHSHIM_CONFIG LD_PRELOAD
export MESHSHIM_RUNTIME_DIR=$work/run

# gives NAME STATUS COMMAND…: that exit status; output in out, errors in err.
gives() {
    local name=$1 wanted=$2 got
    shift 2
    "$@" >out 2>err </dev/null
    got=$?
    if [ "$got" -eq "$wanted" ]; then
        ok "meshctl_usage/$name"
    else
        not_ok "meshctl_usage/$name: exit status $got, expected $wanted: $*"
        sed 's/^/#   /' out err
    fi
}

has() {
    if grep -q -- "$3" "$2"; then ok "meshctl_usage/$1"; else not_ok "meshctl_usage/$1: no '$3' in: $(head -c 400 "$2")"; fi
}

empty() {
    if [ ! -s "$2" ]; then ok "meshctl_usage/$1"; else not_ok "meshctl_usage/$1: $(head -c 400 "$2")"; fi
}

# says NAME CONDITION: what the last command printed is JSON, and this holds for it.
says() {
    if python3 -c "import json; answer = json.load(open('out')); assert $2, answer" 2>err; then
        ok "meshctl_usage/$1"
    else
        not_ok "meshctl_usage/$1: $2: $(head -c 400 out) $(tail -n 1 err)"
    fi
}

# Every command's full name, a line each.
names() {
    local word sub
    for word in $("$meshctl" help --list); do
        sub=$("$meshctl" help --list "$word")
        case $sub in
        --*) echo "$word" ;;
        *) for sub in $sub; do echo "$word $sub"; done ;;
        esac
    done
}

each_command() {
    local name options
    while read -r name; do
        # shellcheck disable=SC2086 # "ca init" is two words
        {
            gives "help $name" 0 "$meshctl" help $name
            cp out by-help
            gives "$name --help" 0 "$meshctl" $name --help
            if cmp -s out by-help; then ok "meshctl_usage/$name same help"; else not_ok "meshctl_usage/$name same help"; fi
            gives "$name --no-such-option" 2 "$meshctl" $name --no-such-option
            has "$name says what to do" err "meshctl help $name"
            empty "$name keeps errors off standard output" out
            options=$("$meshctl" help --list $name)
        }
        has "manual names $name" "$top/cli/meshctl.1" "^\.B[RI]* .*${name// /.}\|${name// /.}"
        for option in $options; do
            case $option in --help) continue ;; esac
            has "help of $name names $option" by-help "$option"
        done
    done < <(names)
}

# The completion function as bash calls it.
completes() { # NAME WORD…: what is offered for the last word
    local name=$1 wanted=$2
    shift 2
    local offered
    offered=$(PATH=$B:$PATH bash -c '
        . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _meshctl; printf "%s\n" "${COMPREPLY[@]}"' \
        "$top/cli/meshctl.bash" "$@" | sort | tr '\n' ' ')
    if [ "$offered" = "$wanted" ]; then
        ok "meshctl_usage/completion $name"
    else
        not_ok "meshctl_usage/completion $name: '$offered', expected '$wanted'"
    fi
}

completion() {
    completes commands "$(names | cut -d' ' -f1 | sort -u | tr '\n' ' ')" meshctl ''
    completes prefix 'ca check config connections ' meshctl c
    completes group 'init issue ' meshctl ca ''
    completes options '--dir --dns --help --not-after --not-before --out --ttl --workload ' meshctl ca issue --
    completes formats 'json ' meshctl stats -o j
    completes help-group 'init issue ' meshctl help ca ''
}

usage() {
    gives unknown-command 2 "$meshctl" analise
    has suggestion err "did you mean 'analyze'"
    gives unknown-sub-command 2 "$meshctl" ca isue
    gives group-alone 2 "$meshctl" ca
    gives group-help 0 "$meshctl" ca --help
    gives unknown-topic 2 "$meshctl" help nonsense
    gives format 2 "$meshctl" stats -o yaml
    gives format-of-analyze 2 "$meshctl" analyze -o prometheus
    gives too-many 2 "$meshctl" stats extra
    gives value-missing 2 "$meshctl" stats --runtime-dir
    gives exclusive 2 "$meshctl" stats --runtime-dir a --socket b
    gives version-option 0 "$meshctl" --version
    gives help-option 0 "$meshctl" -h
}

output() {
    gives bare 0 "$meshctl"
    has bare-is-stats out 'no connection has been counted'
    gives stats-json 0 "$meshctl" stats -o json
    says stats-is-json 'answer["entries"] == []'
    gives watch 0 sh -c 'timeout 20 "$0" stats --watch | head -n 3' "$meshctl"
    has watch-again out '^$'
    gives options-are-stats 0 "$meshctl" -o prometheus
    gives no-such-directory 1 "$meshctl" stats -d nowhere
    has no-such-directory-says err "there is no directory 'nowhere'"
    empty no-such-directory-quiet out
    gives no-such-directory-json 1 "$meshctl" -d nowhere -o json
    gives not-a-directory 1 "$meshctl" connections -d err
    has not-a-directory-says err 'cannot look into err (Not a directory)'
    gives no-processes 1 "$meshctl" connections
    gives full-disk 1 sh -c '"$0" help >/dev/full' "$meshctl"
    gives no-colour-off-terminal 1 sh -c '"$0" analyze --list | grep -q "$(printf "\033")"' "$meshctl"
}

# A process that answers on a socket as a meshed one does, one that hangs, one that is gone, one that talks rubbish.
cat >answer.py <<'PY'
import os, socket, sys, threading
body = b'{"connections":[{"peer":"a\\u001bb","bytes":1}],"x":{},"allow":[]}'
answers = {"ok": b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body),
           "short": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}', "rubbish": b'SSH-2.0-x\r\n', "hang": None,
           "error": b'HTTP/1.1 409 Conflict\r\nContent-Length: 17\r\n\r\nmesh.ini:3: wrong'}
def serve(listener, answer):
    while True:
        peer = listener.accept()[0]
        peer.recv(4096)
        if answer is None:
            kept.append(peer)
            continue
        peer.sendall(answer)
        peer.close()
kept = []
for number, (name, answer) in enumerate(answers.items()):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(sys.argv[1], name + ".sock" if name != "ok" else "%d.sock" % os.getpid()))
    listener.listen()
    threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
gone = socket.socket(socket.AF_UNIX)
gone.bind(os.path.join(sys.argv[1], "999999999.sock"))
gone.close()
# The process has executed another program: it is there, and nobody answers on its socket.
other = socket.socket(socket.AF_UNIX)
other.bind(os.path.join(sys.argv[1], "%d.sock" % os.getppid()))
other.close()
open(os.path.join(sys.argv[1], "ready"), "w").close()
threading.Event().wait()
PY

sockets() {
    mkdir run
    spawn answer python3 answer.py run
    wait_until 10 test -e run/ready || fail "the stand-in for a process did not start"
    gives connections 0 "$meshctl" connections
    has connections-pid out "process $spawned (python3)"
    has connections-table out '^PEER'
    has empty-is-said out '^  x: none'
    has empty-allow-is-everybody out '^  allow: any in the trust domain'
    has terminal-is-safe out 'a?b'
    empty stale-is-quiet err
    gives verbose 0 "$meshctl" connections --verbose
    has stale-is-said err '999999999.sock is stale: its process has gone'
    has other-program-is-said err "$$.sock is stale: process $$ is .* now, which has opened no meshed socket"
    gives json 0 "$meshctl" connections -o json
    says json-is-json 'answer["processes"][0]["answer"]["connections"][0]["bytes"] == 1'
    gives refused 1 "$meshctl" reload --socket run/error.sock
    has refused-why err 'mesh.ini:3: wrong'
    gives cut-short 1 "$meshctl" connections --socket run/short.sock
    gives rubbish 1 "$meshctl" connections --socket run/rubbish.sock
    gives hangs 1 timeout 10 "$meshctl" connections --socket run/hang.sock
    has hangs-says err 'no answer'
    gives no-statistics 1 "$meshctl" stats --socket run/rubbish.sock
}

each_command
completion
usage
output
sockets
[ "$failures" -eq 0 ]
