#!/bin/bash
# OpenSSH: sshd executes itself anew with the connection, locks a child in, becomes another user; ssh, scp and sftp of MBs, a
# forwarded port, new keys on the way.
# timeout: 120
# program: OpenSSH
# packages: openssh-server openssh-client
# tsan: scp's old protocol, sftp and a terminal do not come about under the thread sanitizer
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

[ -x /usr/sbin/sshd ] || skip "sshd is not installed"
version OpenSSH "$(ssh -V 2>&1 | sed 's/OpenSSH_\([^ ,]*\).*/\1/')"
random_file 5m 5000000
mkdir -p "$work/there"
chmod 777 "$work/there"
export HOME=$work
client=client

# Root's sshd wants the directory that its service would make; another's does without.
if [ "$(id -u)" -eq 0 ] && [ ! -d /run/sshd ]; then
    mkdir -m 755 /run/sshd || skip "sshd wants /run/sshd"
    trap 'rmdir /run/sshd; clean_up' EXIT
fi
# Who logs in: whoever runs the test, and where that is root somebody with a shell who is not.
me=$(id -un) pam=no
[ "$(id -u)" -ne 0 ] || pam=yes # as Debian has it; needed for accounts without a password
other=$(getent passwd | awk -F: '$3 != 0 && $7 ~ /\/(ba|da|)sh$/ { print $1; exit }')
if [ "$(id -u)" -ne 0 ]; then
    getent passwd "$me" | grep -qE '/(ba|da|z|k|)sh$' || skip "$me has no shell to log in to"
    other=$me
fi

for key in host id; do
    ssh-keygen -q -t ed25519 -N '' -f "$work/$key" || fail "ssh-keygen did not work"
done
chmod 644 "$work/id.pub"
cat >"$work/ssh.conf" <<CONF
IdentityFile $work/id
IdentitiesOnly yes
UserKnownHostsFile $work/known
GlobalKnownHostsFile none
StrictHostKeyChecking accept-new
BatchMode yes
ConnectTimeout 10
HostKeyAlias here
LogLevel ERROR
CONF

# serve PORT
serve() {
    cat >"$work/sshd.conf" <<CONF
ListenAddress 127.0.0.1
Port $1
HostKey $work/host
AuthorizedKeysFile $work/id.pub
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM $pam
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
CONF
    spawn sshd mesh server /usr/sbin/sshd -D -e -f "$work/sshd.conf"
    wait_port "$1"
}
port=$(free_port)
serve "$port"

remote() {
    limit 20 mesh "$client" ssh -F "$work/ssh.conf" -p "$port" "$@"
}
says() {
    local expected=$1 got
    shift
    got=$(remote "$@") || return 1
    echo "got $got"
    [ "$got" = "$expected" ]
}
fails_alike() {
    remote 127.0.0.1 'echo oh dear >&2; exit 7' 2>"$work/oh"
    [ $? -eq 7 ] && grep -q "oh dear" "$work/oh"
}
logs_in() {
    [ -n "$other" ] || { echo "nobody here has a shell"; return 0; }
    echo 'id -un; exit' | remote -T "$1@127.0.0.1" >"$work/who" && tail -n 1 "$work/who" | grep -qx "$1"
}
# pipes OPTION…
pipes() {
    remote -o EscapeChar=none "$@" 127.0.0.1 'cat; echo done >&2' <"$work/files/5m" >"$work/got" && same "$work/files/5m" "$work/got"
}
# copies PROTOCOL: -s is sftp, -O the old one.
copies() {
    rm -f "$work/there/5m" "$work/got"
    limit 20 mesh "$client" scp -q "$1" -F "$work/ssh.conf" -P "$port" "$work/files/5m" "127.0.0.1:$work/there/" &&
        limit 20 mesh "$client" scp -q "$1" -F "$work/ssh.conf" -P "$port" "127.0.0.1:$work/there/5m" "$work/got" &&
        same "$work/files/5m" "$work/got"
}
transfers() {
    rm -rf "$work/there/sub" "$work/got"
    printf 'mkdir %s\nput %s %s\nls -l %s\nget %s %s\n' "$work/there/sub" "$work/files/5m" "$work/there/sub/5m" \
        "$work/there/sub" "$work/there/sub/5m" "$work/got" |
        limit 20 mesh "$client" sftp -q -b - -F "$work/ssh.conf" -P "$port" 127.0.0.1 >"$work/sftp.out" &&
        same "$work/files/5m" "$work/got"
}
terminal() {
    remote -tt 127.0.0.1 tty | grep -q '^/dev/pts/'
}

# A program's connection to ssh's port here, and sshd's to another server there: four programs, three connections, each proved.
forwards() {
    local here there
    here=$(free_port) there=$(free_port)
    sed 's,^allow .*,allow = default/server,' "$work/client.ini" >"$work/target.ini"
    sed 's,^allow .*,allow = default/client,' "$work/client.ini" >"$work/tunnel.ini"
    sed 's,^identity .*,identity = default/client,' "$work/client.ini" >"$work/user.ini"
    sed -i 's,^identity .*,identity = default/client,' "$work/server.ini"
    spawn target mesh target "$python" -m http.server -b 127.0.0.1 -d "$work/files" "$there"
    wait_port "$there"
    spawn tunnel mesh tunnel ssh -F "$work/ssh.conf" -p "$port" -N -o ExitOnForwardFailure=yes -L "127.0.0.1:$here:127.0.0.1:$there" 127.0.0.1
    wait_port "$here"
    for _ in 1 2 3; do
        limit 20 mesh user curl -sS --fail -o "$work/got" "http://127.0.0.1:$here/5m" && same "$work/files/5m" "$work/got" || return 1
    done
    proved inbound "inbound:$here" client && proved inbound "inbound:$there" server
}

try "OpenSSH: a command" says "hello there" 127.0.0.1 echo hello there
try "OpenSSH: a command that fails" fails_alike
try "OpenSSH: a shell, as another user" logs_in "${other:-$me}"
try "OpenSSH: 5 MB through a command" pipes -o Compression=no
try "OpenSSH: 5 MB with new keys every 500 kB" pipes -o RekeyLimit=500K
try "OpenSSH: 5 MB, compressed" pipes -C
try "OpenSSH: scp" copies -s
try "OpenSSH: scp, its old protocol" copies -O
try "OpenSSH: sftp" transfers
[ "$(id -u)" -ne 0 ] || try "OpenSSH: a terminal" terminal # whose owner only root can change
try "OpenSSH: both sides are proved" both_proved "$port"
try "OpenSSH: a forwarded port" forwards
stop "${pids[@]}"

works() {
    local port
    port=$(free_port)
    serve "$port"
    says hello 127.0.0.1 echo hello && fails_alike && pipes -C 2>/dev/null && copies -s && echo "all came"
}
try "OpenSSH: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
