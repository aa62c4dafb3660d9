# shellcheck shell=bash disable=SC2154 # variables of tests/lib.sh, machine.sh and servers.sh
# Before anything is measured: is each way what it says? The client's end answers, and what is on the wire between the nodes
# is TLS 1.3 with the cipher of all, which serves nobody without a certificate.

prove_ways() {
    local way service
    for way in own $sidecars meshed; do
        prove_answer "$way"
        case $way in
        own) prove_mutual own http "${port[own:http]}" && prove_mutual own redis "${port[own:redis]}" ;;
        meshed) prove_meshed ;;
        *) for service in $(services_of "$way"); do
            [ "$service" = postgres ] || prove_mutual "$way" "$service" "${tls_port[$way:$service]}"
        done ;;
        esac
    done
}

prove_answer() {
    local tls=() scheme=http
    [ "$1" = own ] && scheme=https tls=(--cacert "$work/client/ca.pem" --cert "$work/client/cert.pem" --key "$work/client/key.pem")
    [ "$(run_client "$1" curl -s -m 10 "${tls[@]}" "$scheme://localhost:${port[$1:http]}/1k" --resolve "localhost:${port[$1:http]}:127.0.0.1" | wc -c)" -eq 1024 ] ||
        prove_meshed_by_address "$1" || fail "$1: curl does not get its page"
}

# What is meshed is known by its address.
prove_meshed_by_address() {
    [ "$1" = meshed ] && [ "$(run_client meshed curl -s -m 10 "http://127.0.0.1:${port[meshed:http]}/1k" | wc -c)" -eq 1024 ]
}

# prove_mutual WAY SERVICE PORT: who shows a certificate is answered, who shows none is not. (Some tell so in TLS, nginx in HTTP.)
prove_mutual() {
    local answered
    answered=$(asked "$2" "$3" -cert "$work/client/cert.pem" -key "$work/client/key.pem")
    grep -q "TLSv1.3, Cipher is $ciphersuite" <<<"$answered" && grep -q 'aaaaaaaa\|+PONG' <<<"$answered" ||
        fail "$1: its $2 does not answer by TLS 1.3 with $ciphersuite"
    if asked "$2" "$3" | grep -q 'aaaaaaaa\|+PONG'; then
        fail "$1: its $2 serves clients without a certificate"
    fi
}

# asked SERVICE PORT OPTION…: what openssl's client is told. It waits for an answer, or for the end.
asked() {
    local question='GET /1k HTTP/1.0\r\n\r\n' port=$2
    [ "$1" = redis ] && question='PING\r\nQUIT\r\n'
    shift 2
    # shellcheck disable=SC2059 # it is a format
    printf "$question" | timeout 5 openssl s_client -ign_eof -connect "127.0.0.1:$port" -tls1_3 \
        -CAfile "$work/client/ca.pem" "$@" 2>&1
}

prove_meshed() {
    [ "$(curl -s -m 10 "http://127.0.0.1:${port[meshed:http]}/1k" | wc -c)" -eq 0 ] || fail "meshed: its http serves plain text"
    if redis-cli -p "${port[meshed:redis]}" ping 2>&1 | grep -q PONG; then
        fail "meshed: its redis serves plain text"
    fi
}
