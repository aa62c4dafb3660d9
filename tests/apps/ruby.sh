#!/bin/bash
# Ruby: WEBrick, Puma, thin (EventMachine) and unicorn (forked workers), Net::HTTP, sockets of threads and of forked processes, IO.select with calls that do not wait.
# packages: puma ruby ruby-webrick thin unicorn
# program: Ruby
# program: Puma
# program: thin
# program: unicorn
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/ruby ] || skip "ruby is not installed"
echo "version Ruby $(/usr/bin/ruby -e 'print RUBY_VERSION')"
version Puma "$(/usr/bin/puma --version | sed 's/[^0-9]*//')"
version thin "$(/usr/bin/thin --version | cut -d ' ' -f 2)"
version unicorn "$(/usr/bin/unicorn --version | sed 's/[^0-9]*//')"

server() {
    port=$(free_port)
    spawn "$1" mesh server /usr/bin/ruby "$top/tests/apps/programs/sockets.rb" "$1" "$port"
    wait_port "$port" 20
}
client() {
    limit 30 mesh client /usr/bin/ruby "$top/tests/apps/programs/sockets.rb" "$1" "$port" "${@:2}"
}
cat >"$work/config.ru" <<'RUBY'
run ->(env) {
  body = env['rack.input'].read
  [200, {}, [body.empty? ? "hello #{env['PATH_INFO']}" : body]]
}
RUBY
puma() {
    port=$(free_port)
    spawn puma mesh server env HOME="$work" /usr/bin/puma --dir "$work" -e production -b "tcp://127.0.0.1:$port" "$@" "$work/config.ru"
    wait_port "$port" 20
}

thin() {
    port=$(free_port)
    spawn thin mesh server /usr/bin/thin --chdir "$work" -R config.ru -a 127.0.0.1 -p "$port" -e production start
    wait_port "$port" 20
}
# It replaces itself by a new program that is given the listener, and both serve until the old one is told to go.
unicorn() {
    port=$(free_port)
    printf '%s\n' "listen '127.0.0.1:$port'" "worker_processes 2" "working_directory '$work'" "pid '$work/unicorn.pid'" >"$work/unicorn.rb"
    spawn unicorn mesh server /usr/bin/unicorn -c "$work/unicorn.rb" -E production "$work/config.ru"
    wait_port "$port" 20
    wait_until 10 [ -s "$work/unicorn.pid" ]
}
replaced() {
    new=$(cat "$work/unicorn.pid" 2>/dev/null) && [ -n "$new" ] && [ "$new" != "$old" ]
}
replaces_itself() {
    local old new
    old=$(cat "$work/unicorn.pid")
    kill -USR2 "$old"
    wait_until 15 replaced && pids+=("$new") && kill -QUIT "$old" && gone "$old" 15 && client http-client
}

server http-server
try "ruby: Net::HTTP and WEBrick, 70 requests and 2 MiB there and back" client http-client
try "ruby: WEBrick and its clients are proved" both_proved "$port"
puma -t 4:4
try "ruby: Net::HTTP and Puma's threads" client http-client
try "ruby: Puma and its clients are proved" both_proved "$port"
puma -t 2:2 -w 2
try "ruby: Net::HTTP and Puma's two workers" client http-client
try "ruby: Puma's workers and their clients are proved" both_proved "$port"
thin
try "ruby: Net::HTTP and thin, on EventMachine" client http-client
try "ruby: thin and its clients are proved" both_proved "$port"
unicorn
try "ruby: Net::HTTP and unicorn's two workers" client http-client
try "ruby: unicorn's workers and their clients are proved" both_proved "$port"
try "ruby: unicorn replaces itself by a new program" replaces_itself
server threads-server
try "ruby: threads echo 4 MiB" client threads-client 4194304 1
try "ruby: threads echo 64 KiB on each of 20 connections" client threads-client 65536 20
try "ruby: IO.select, 64 KiB on each of 30 connections" client select-client 65536 30
try "ruby: lines, a time-out, a look at what is next" client lines-client
try "ruby: threads and their clients are proved" both_proved "$port"
server forks-server
try "ruby: a forked process for each of 10 connections" client threads-client 100000 10
try "ruby: forked processes and their clients are proved" both_proved "$port"
works() {
    server threads-server && client select-client 65536 30 && client lines-client
}
try "ruby: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
