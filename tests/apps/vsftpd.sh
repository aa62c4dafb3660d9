#!/bin/bash
# vsftpd, whose processes without rights live in a chroot and get their data connections by SCM_RIGHTS: passive and active
# transfers of MBs by three clients. (Its seccomp filter is off, as in Debian's default: it does not know today's libc.)
# timeout: 120
# program: vsftpd
# packages: vsftpd lftp
# tsan: vsftpd limits its memory, of which the thread sanitizer needs more
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

export PATH=$PATH:/usr/sbin
command -v vsftpd >/dev/null || skip "vsftpd is not installed"
[ "$(id -u)" -eq 0 ] || skip "vsftpd's sandbox wants root"
version vsftpd "$(dpkg-query -W -f '${Version}' vsftpd | sed 's/-.*//')"
random_file 5m 5000000
random_file 1k 1000
mkdir -p "$work/empty" "$work/ftp/in" "$work/home"
cp "$work"/files/* "$work/ftp/"
chown ftp "$work/ftp/in"
export HOME=$work/home

# serve PORT [LINE…]
serve() {
    local number=$1
    shift
    {
        cat <<CONF
listen=YES
listen_address=127.0.0.1
listen_port=$number
background=NO
anonymous_enable=YES
no_anon_password=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_other_write_enable=YES
anon_umask=022
anon_root=$work/ftp
ftp_username=ftp
nopriv_user=nobody
secure_chroot_dir=$work/empty
connect_from_port_20=YES
ftp_data_port=$(free_port)
CONF
        printf '%s\n' "$@"
    } >"$work/vsftpd.conf"
    spawn vsftpd mesh server vsftpd "$work/vsftpd.conf"
    wait_port "$number"
}
port=$(free_port)
serve "$port"
client=client

ftp() {
    limit 20 mesh "$client" curl -sS --max-time 15 "$@"
}
down() {
    ftp "$@" -o "$work/got" "ftp://127.0.0.1:$port/5m" && same "$work/files/5m" "$work/got"
}
up() {
    rm -f "$work/ftp/in/5m"
    ftp "$@" -T "$work/files/5m" "ftp://127.0.0.1:$port/in/" && same "$work/files/5m" "$work/ftp/in/5m"
}
lists() {
    ftp -l "ftp://127.0.0.1:$port/" | sort >"$work/list" && printf '1k\n5m\nin\n' | diff - "$work/list"
}
# several PASSIVE-OR-ACTIVE: many transfers on one control connection.
several() {
    local url=() i mode=()
    [ "$1" = passive ] || mode=(-P -)
    for i in 1 2 3 4 5; do
        url+=(-o "$work/got.$i" "ftp://127.0.0.1:$port/1k")
    done
    ftp "${mode[@]}" "${url[@]}" || return 1
    for i in 1 2 3 4 5; do
        same "$work/files/1k" "$work/got.$i" || return 1
    done
}
# lftp: mirrors with several connections, in either mode, and goes on with a half file.
mirrors() {
    rm -rf "$work/mirror" && mkdir "$work/mirror" && head -c 2000000 "$work/files/5m" >"$work/mirror/5m"
    limit 20 mesh "$client" lftp -c "set net:max-retries 2; set ftp:passive-mode $1; set net:timeout 10; open ftp://127.0.0.1:$port;
        get -c 5m -o $work/mirror/5m; mirror -P 3 / $work/mirror/all; mput -O in $work/files/1k" || return 1
    same "$work/files/5m" "$work/mirror/5m" && same "$work/files/5m" "$work/mirror/all/5m" && same "$work/files/1k" "$work/ftp/in/1k"
}
# Stopped in the middle by the client; the control connection goes on.
aborts() {
    limit 20 mesh "$client" "$python" - "$port" <<'PY'
import ftplib, sys
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", int(sys.argv[1]), timeout=10)
ftp.login()
data = ftp.transfercmd("RETR 5m")
data.recv(1000)
data.close()
print(ftp.getmultiline())
if ftp.size("5m") != 5000000:
    sys.exit("the control connection is confused")
ftp.quit()
PY
}

try "vsftpd: a list" lists
try "vsftpd: 5 MB down, passive" down
try "vsftpd: 5 MB down, active" down -P -
try "vsftpd: 5 MB up, passive" up
try "vsftpd: 5 MB up, active" up -P -
try "vsftpd: five files by one connection" several passive
try "vsftpd: five files by one connection, active" several active
try "vsftpd: lftp mirrors, passive" mirrors on
try "vsftpd: lftp mirrors, active" mirrors off
try "vsftpd: a transfer that is given up" aborts
try "vsftpd: both sides are proved" both_proved "$port"

works() {
    local port
    port=$(free_port)
    serve "$port"
    lists && down && down -P - && up && up -P - && several active && echo "all came"
}
try "vsftpd: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
