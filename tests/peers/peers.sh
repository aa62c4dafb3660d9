# shellcheck shell=bash
# One case against one victim. Sourced by the bad_peers tests after lib.sh and make_mesh.
# shellcheck disable=SC2154 # lib.sh assigns top, work, slow and spawned

badpeer=$B/tests/peers/badpeer
victim=$B/tests/peers/victim
secret="secret-from-the-victim" # as long as the peer's own
other="top-secret-of-the-peer"

# cases ROLE [--few]: "case outcome alert sentence" of every case that makes sense for a peer in that role; of those that $only names, where
# there is one.
only=()
cases() {
    local case
    for case in $("$badpeer" --list --role "$@"); do
        [ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $case "* ]] || continue
        grep -E "^$case " "$top/tests/peers/cases.txt" || [ "$case" = cut_at_every_byte ] || echo "$case unlisted * ."
    done
}

# Short deadlines, one attempt: a case then has one outcome and one sentence.
quick_mesh() {
    local limit=${1:-${PEERS_LIMIT:-400}}
    make_mesh
    "$badpeer" --more-identities "$work/ca" || fail "cannot make more identities"
    sed -i "s/^allow .*/&\nhandshake_timeout = $((limit * slow))ms/" "$work/client.ini" "$work/server.ini"
    sed -i "s/^identity .*/identity = default\/server\nhandshake_timeout = $((limit * slow))ms\nconnect_retries = 0/" "$work/client.ini"
    sed -i "s/^allow .*/allow = default\/client/" "$work/server.ini"
    # In the role of a server the bad identities carry the client's name but for the fault: believe it, or the name would be the fault.
    sed "s/^identity .*/identity = default\/client/" "$work/client.ini" >"$work/client-of-client.ini"
}

# heard ALERTS ROLE OUTPUT: what the victim said on the wire, if it is not what it should have: the first of two alerts where it is the
# server, the second where it is the client.
heard() {
    local wanted=${1%/*} said
    [ "$2" = client ] && wanted=${1#*/}
    said=$(sed -n 's/^alert //p' "$3" | tail -n 1)
    [ "$wanted" = '*' ] || [ "$said" = "$wanted" ] || echo "; its alert was ${said:-not heard}, expected $wanted"
}

sentences() {
    wc -l <"$1"
}

# judge NAME OUTCOME WHAT SENTENCE LOG BEFORE PROBLEM: compares what the program saw, what the log got and what was on the wire
# with the table. PROBLEM is one that is known already, or nothing.
judge() {
    local name=$1 outcome=$2 what=$3 sentence=$4 log=$5 before=$6 problem=$7 said new
    said=$(($(sentences "$log") - before))
    new=$(tail -n +$((before + 1)) "$log")
    case $outcome in
    fine) [[ $what == "done" || $what =~ ^[1-9][0-9]*\ bytes,\ then\ recv\ =\ 0$ ]] || problem="$problem; expected no error" ;;
    denied) [[ $what == *EACCES ]] || problem="$problem; expected EACCES" ;;
    ended) [[ $what == *'recv = 0' ]] || problem="$problem; expected an end" ;;
    late) [[ $what == *ETIMEDOUT ]] || problem="$problem; expected ETIMEDOUT" ;;
    reset) [[ $what == *ECONNRESET ]] || problem="$problem; expected ECONNRESET" ;;
    refused) [[ $what == *'connect = -1 ECONNREFUSED' || $what == *'recv = -1 ECONNRESET' || $what == *'send = -1 ECONNRESET' ]] ||
        problem="$problem; expected ECONNREFUSED from connect or ECONNRESET later" ;;
    gone) [[ $what == *ECONNRESET || $what == *'recv = 0' || $what == *'connect = -1 ECONNREFUSED' || $what == *EPIPE ]] ||
        problem="$problem; expected an end or ECONNRESET" ;;
    any) [[ $what == *ECONNRESET || $what == *'= 0' ]] || problem="$problem; expected an end or ECONNRESET" ;;
    *) problem="$problem; tests/peers/cases.txt does not know this case" ;;
    esac
    case $outcome in
    fine | ended) [ "$said" -eq 0 ] || problem="$problem; $said sentences in the log, expected none" ;;
    gone | any) [ "$said" -le 1 ] || problem="$problem; $said sentences in the log, expected at most one" ;;
    *)
        [ "$said" -eq 1 ] || problem="$problem; $said sentences in the log, expected one"
        grep -qiE "$sentence" <<<"$new" || problem="$problem; no sentence names /$sentence/"
        ;;
    esac
    # Never a word of either side in the clear.
    grep -qaE "$secret|$other" "$work/wire" && problem="$problem; plain text on the wire"
    if [ -z "$problem" ]; then
        ok "$name"
    else
        not_ok "$name: ${problem#; }"
        echo "#   the program saw: $what"
        [ -n "$new" ] && sed 's/^/#   log: /' <<<"$new"
    fi
}

# against_server NAME CASE OUTCOME ALERT SENTENCE PORT VICTIM_LOG MESH_LOG: the peer is a client.
against_server() {
    local name=$1 case=$2 outcome=$3 alert=$4 sentence=$5 port=$6 victim_log=$7 log=$8 before output own problem
    before=$(sentences "$log")
    : >"$work/wire"
    output=$(timeout $((15 * slow)) "$badpeer" --role client --port "$port" --ca "$work/ca" --case "$case" --wire "$work/wire" 2>&1)
    own=$(sed -n 's/^port //p' <<<"$output")
    if [ -z "$own" ] || ! wait_until 5 grep -q "^peer $own:" "$victim_log"; then
        not_ok "$name: the victim never ended the connection"
        echo "$output" | sed 's/^/#   the peer: /'
        return
    fi
    problem=$(heard "$alert" server - <<<"$output")
    [ "$outcome" = fine ] && ! grep -q '^exchanged' <<<"$output" && problem="$problem; the peer was not served: ${output//$'\n'/, }"
    judge "$name" "$outcome" "$(sed -n "s/^peer $own: //p" "$victim_log" | tail -n 1)" "$sentence" "$log" "$before" "$problem"
}

# against_client NAME CASE OUTCOME ALERT SENTENCE MODE LOG [WRAPPER…]: the peer is a server.
against_client() {
    local name=$1 case=$2 outcome=$3 alert=$4 sentence=$5 mode=$6 log=$7 before port what count=2 workload=client server
    shift 7
    case $case in
    key_update_sent | key_update_requested) count=4 ;;
    replayed_record) count=3 ;;
    key_update_many) count=201 ;;
    esac
    case $case in
    wrong_name) ;;
    expires_meanwhile) workload=client-of-client ;;
    *) [ -e "$work/ca/$case.pem" ] && workload=client-of-client ;;
    esac
    before=$(sentences "$log")
    : >"$work/wire"
    port=$(free_port)
    spawn badserver "$badpeer" --role server --port "$port" --ca "$work/ca" --case "$case" --wire "$work/wire"
    server=$spawned
    wait_port "$port"
    what=$(MESHSHIM_LOG_FILE=$log mesh "$workload" timeout $((15 * slow)) "$@" "$victim" client "$port" "$mode" "$secret" "$count" 2>&1)
    wait_until 5 grep -q '^alert' "$work/badserver.log"
    kill "$server" 2>/dev/null
    judge "$name" "$outcome" "$(tail -n 1 <<<"$what")" "$sentence" "$log" "$before" "$(heard "$alert" client "$work/badserver.log")"
}
