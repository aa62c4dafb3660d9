# shellcheck shell=bash disable=SC2154 # variables of tests/lib.sh, machine.sh and servers.sh
# Resident memory, of a server with its proxies while 64 connections are open that have just been busy. Lines in the results:
#   memory<tab>way<tab>KiB resident<tab>of it private KiB<tab>processes

memory() {
    local way
    for way in plain own $sidecars meshed; do
        memory_of "$way"
    done
}

memory_of() {
    local way=$1 options=()
    [ "$way" = own ] && options=(-s "$work/client")
    coproc HELD { run_client "$way" "$B/bench/drive" "${options[@]}" -k -c 64 -t 0.5 -p "${workers[$way:http]}" http "${port[$way:http]}" /1k; }
    read -r -t 30 _ <&"${HELD[0]}" || fail "$way: 64 connections gave no result"
    record memory "$way" "$(kib_of Rss "$way")" "$(kib_of Private_Dirty "$way")" "$(tr ',' '\n' <<<"${workers[$way:http]}" | wc -l)"
    eval "exec ${HELD[1]}>&-"
    wait "$HELD_PID"
}

# kib_of FIELD WAY: summed over the processes of its http.
kib_of() {
    local pid
    for pid in ${workers[$2:http]//,/ }; do
        cat "/proc/$pid/smaps_rollup"
    done | awk -v "field=$1:" '$1 == field { sum += $2 } END { print sum }'
}
