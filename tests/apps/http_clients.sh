#!/bin/bash
# Programs that fetch: curl, wget, aria2 (parts of a file at once), axel, links, lynx; and that measure: ab, wrk, siege, httperf. All of a
# meshed nginx.
# packages: apache2-utils aria2 axel curl httperf links lynx nginx-light siege wget wrk
# program: curl
# program: wget
# program: ab
# program: wrk
# program: aria2
# program: axel
# program: links
# program: lynx
# program: siege
# program: httperf
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=tests/apps/web.bash
. "$(dirname "$0")/web.bash"

version curl "$(curl --version | awk 'NR == 1 { print $2 }')"
version wget "$(wget --version | awk 'NR == 1 { print $3 }')"
version ab "$(ab -V | sed -n 's/.*Version \([0-9.]*\).*/\1/p')"
version wrk "$(dpkg-query -W -f '${Version}' wrk | sed 's/-.*//')"
version aria2 "$(aria2c --version | awk 'NR == 1 { print $3 }')"
version axel "$(axel --version | awk 'NR == 1 { print $2 }')"
version links "$(links -version | awk 'NR == 1 { print $2 }')"
version lynx "$(lynx -version | awk 'NR == 1 { print $3 }')"
version siege "$(siege --version 2>&1 | sed -n 's/^SIEGE \([0-9.]*\).*/\1/p')"
version httperf "$(httperf --version 2>/dev/null | sed -n 's/.*httperf-\([0-9.]*\) .*/\1/p')"
random_file 1k 1024
random_file 1m 1048576
random_file 20m 20971520
mkdir -p "$work/files/tree/below" "$work/home"
export HOME=$work/home
for name in a b below/c; do
    head -c 30000 /dev/urandom >"$work/files/tree/$name"
done
printf '<p>heading</p><a href="a">a</a><a href="b">b</a><a href="below/">below</a>' >"$work/files/tree/index.html"
printf '<a href="c">c</a>' >"$work/files/tree/below/index.html"

client() {
    limit 30 mesh client "$@"
}
all_of_curl() {
    fetch "$url/20m" 20m && fetch "$url/1m" 1m --http1.0 && put "$url/put/1m" 1m "$work/files/put/1m" && kept "$url/1k" 50
}
# 30 at once; the second time some of them are there in part, and go on.
curl_parallel() {
    client curl -sS --fail -Z --max-time 20 -o "$work/got.#1" "$url/1m?[1-30]" || return 1
    truncate -s 500000 "$work/got.7"
    client curl -sS --fail -C - --max-time 20 -o "$work/got.7" "$url/1m" || return 1
    cat "$work"/got.* | sums >"$work/sum" && rm "$work"/got.*
    for _ in $(seq 30); do cat "$work/files/1m"; done | sums | diff - "$work/sum"
}
wget_gets() {
    client wget -q -T 10 -t 1 -O "$work/got" "$url/20m" && same "$work/files/20m" "$work/got" || return 1
    head -c 700000 "$work/files/1m" >"$work/1m"
    client wget -q -T 10 -t 1 -c -P "$work" "$url/1m" && same "$work/files/1m" "$work/1m" && rm "$work/1m"
}
wget_recurses() {
    rm -rf "$work/tree"
    client wget -q -T 10 -t 1 -r -nH -P "$work" "$url/tree/index.html" && diff -r "$work/files/tree" "$work/tree"
}
aria2_gets() {
    rm -f "$work/got"
    client aria2c -q -x 5 -s 5 -k 1M --no-conf --disable-ipv6 --timeout 10 -m 1 -d "$work" -o got "$url/20m" && same "$work/files/20m" "$work/got"
}
axel_gets() {
    rm -f "$work/got"
    client axel -q -n 4 -o "$work/got" "$url/20m" && same "$work/files/20m" "$work/got"
}
links_gets() {
    client links -source "$url/1m" >"$work/got" && same "$work/files/1m" "$work/got" && client links -dump "$url/tree/" | grep -q heading
}
lynx_gets() {
    client lynx -cfg=/dev/null -source "$url/1m" >"$work/got" && same "$work/files/1m" "$work/got" &&
        client lynx -cfg=/dev/null -dump "$url/tree/" | grep -q heading
}
wrk_gets() {
    load 32 "$url/1k" && load 8 "$url/1m"
}
ab_gets() {
    bench -k -c 16 -n 2000 "$url/1k" && bench -c 8 -n 100 "$url/1k" && bench -k -c 4 -n 40 -u "$work/files/1m" "$url/put/ab"
}
# It reads its configuration from HOME, and asks questions where there is none.
siege_gets() {
    mkdir -p "$HOME/.siege"
    printf 'verbose = false\nlogging = false\nshow-logfile = false\njson_output = false\ncolor = off\n' >"$HOME/.siege/siege.conf"
    client siege -b -c 6 -r 20 "$url/1m" >"$work/siege" 2>&1
    grep -E "^(Transactions|Failed transactions):" "$work/siege" | sed 's/  */ /g'
    grep -qE '^Transactions:.* 120 hits' "$work/siege" && grep -qE '^Failed transactions:.* 0$' "$work/siege"
}
httperf_gets() {
    client httperf --server 127.0.0.1 --port "$web" --uri /1m --num-conns 5 --num-calls 6 --timeout 10 >"$work/httperf" 2>&1
    grep -E '^(Total:|Reply status|Errors: total)' "$work/httperf" | sed 's/test-duration.*//'
    grep -q 'replies 30 ' "$work/httperf" && grep -q '2xx=30' "$work/httperf" && grep -q '^Errors: total 0 ' "$work/httperf"
}

serve() {
    backend_as=server backend
    web=$backend url=http://127.0.0.1:$backend
}
serve
try "curl: 20 MiB, HTTP/1.0, an upload, 50 requests on one connection" all_of_curl
try "curl: 30 files at once, a half one continued" curl_parallel
try "wget: 20 MiB, a half file continued" wget_gets
try "wget: a tree" wget_recurses
try "ab: connections that are kept, one a request, uploads" ab_gets
try "wrk: 1 KiB on 32 connections, 1 MiB on 8" wrk_gets
try "aria2: 20 MiB on five connections" aria2_gets
try "axel: 20 MiB on four connections" axel_gets
try "links: 1 MiB, a page" links_gets
try "lynx: 1 MiB, a page" lynx_gets
try "siege: 120 files of 1 MiB, six threads" siege_gets
try "httperf: 30 files of 1 MiB on five connections" httperf_gets
try "http clients: both sides are proved" both_proved "$web"

works() {
    local url web
    serve
    all_of_curl && curl_parallel && wget_gets && wget_recurses && aria2_gets && axel_gets && links_gets && lynx_gets &&
        siege_gets && httperf_gets && bench -k -c 8 -n 300 "$url/1k" && load 8 "$url/1k" >/dev/null
}
try "http clients: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
