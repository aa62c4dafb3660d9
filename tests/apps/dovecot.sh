#!/bin/bash
# Dovecot, all of it one user: a login process accepts and speaks first, and sends the connection on to another program; MBs in
# and out, many sessions, IDLE.
# timeout: 120
# program: Dovecot
# packages: dovecot-imapd
# tsan: Dovecot limits its processes' memory, of which the thread sanitizer needs more
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

export PATH=$PATH:/usr/sbin
command -v dovecot >/dev/null || skip "Dovecot is not installed"
version Dovecot "$(dovecot --version | cut -d' ' -f1)"
become mail
me=$("${become[@]}" id -un) group=$("${become[@]}" id -gn)
random_file 2m 2000000
"${become[@]}" mkdir -p "$work/mail"
client=client

# serve PORT
serve() {
    rm -rf "$work/base" && "${become[@]}" mkdir -p "$work/base"
    cat >"$work/dovecot.conf" <<CONF
base_dir = $work/base
state_dir = $work/base
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_login_user = $me
default_internal_user = $me
default_internal_group = $group
first_valid_uid = 1
mail_location = maildir:$work/mail/%u
passdb {
    driver = static
    args = password=secret
}
userdb {
    driver = static
    args = uid=$me gid=$group home=$work/mail/%u
}
service imap-login {
    inet_listener imap {
        port = $1
    }
    inet_listener imaps {
        port = 0
    }
    chroot =
}
service anvil {
    chroot =
}
CONF
    spawn dovecot mesh server "${become[@]}" dovecot -F -c "$work/dovecot.conf"
    wait_port "$1"
}
port=$(free_port)
serve "$port"

cat >"$work/imap.py" <<'PY'
import hashlib, imaplib, sys, threading, time
port, job, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
payload = b"Subject: noise\r\n\r\n" + open(path, "rb").read().hex().encode() + b"\r\n"

def session(user):
    imap = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    imap.login(user, "secret")
    return imap

def must(answer):
    if answer[0] != "OK":
        sys.exit(f"said {answer}")
    return answer[1]

def keeps():
    with session("ann") as imap:
        imap.create("noise")
        must(imap.append("noise", None, None, payload))
        number = must(imap.select("noise"))[0].decode()
    with session("ann") as imap:
        must(imap.select("noise"))
        if must(imap.fetch(number, "(RFC822)"))[0][1] != payload:
            sys.exit("the message was changed")

def many():
    problems = []
    def one(user):
        try:
            mail(user)
        except (OSError, imaplib.IMAP4.error, SystemExit) as e:
            problems.append(f"{user}: {e}")
    def mail(user):
        with session(user) as imap:
            for i in range(10):
                must(imap.append("INBOX", None, None, b"Subject: %d\r\n\r\nhello\r\n" % i))
            must(imap.select())
            found = must(imap.search(None, "SUBJECT", "7"))[0].split()
            must(imap.store("1:*", "+FLAGS", "\\Deleted"))
            must(imap.expunge())
            if len(found) != 1:
                problems.append(f"{user} found {found}")
    threads = [threading.Thread(target=one, args=(f"user{i}",)) for i in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    sys.exit("; ".join(problems) or None)

def idle():
    """The server speaks when there is something to say."""
    with session("ben") as imap:
        must(imap.select())
        imap.send(b"t1 IDLE\r\n")
        if not imap.readline().startswith(b"+"):
            sys.exit("no IDLE")
        with session("ben") as other:
            must(other.append("INBOX", None, None, b"Subject: new\r\n\r\nhello\r\n"))
        while b"EXISTS" not in imap.readline():
            pass
        imap.send(b"DONE\r\n")
        while not (line := imap.readline()).startswith(b"t1 "):
            pass
        if b"OK" not in line:
            sys.exit(f"said {line}")

def refused():
    imap = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    try:
        imap.login("ann", "wrong")
    except imaplib.IMAP4.error as e:
        sys.exit(0 if "AUTHENTICATIONFAILED" in str(e) else f"said {e}")
    sys.exit("was let in")

globals()[job]()
PY
asks() {
    limit 30 mesh "$client" "${become[@]}" "$python" "$work/imap.py" "$port" "$1" "$work/files/2m"
}
fetches() {
    limit 20 mesh "$client" "${become[@]}" curl -sS --max-time 15 -u ann:secret "imap://127.0.0.1:$port/noise;MAILINDEX=1" -o "$work/got" &&
        tail -n +3 "$work/got" | tr -d '\r\n' | "$python" -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' |
        cmp - "$work/files/2m"
}

try "Dovecot: a message of 4 MB" asks keeps
try "Dovecot: curl fetches it" fetches
try "Dovecot: eight sessions at once" asks many
try "Dovecot: IDLE" asks idle
try "Dovecot: a wrong password" asks refused
try "Dovecot: both sides are proved" both_proved "$port"
stop "${pids[@]}"

works() {
    local port
    port=$(free_port)
    rm -rf "$work/mail/ann"
    serve "$port"
    asks keeps && fetches && asks idle && echo "all came"
}
try "Dovecot: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
