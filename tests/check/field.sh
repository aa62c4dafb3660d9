# shellcheck shell=bash
# tests/field.txt: every report and every program's habit names tests, and each of them is there.
. tests/check/say.sh

table=tests/field.txt
scripts=tests/trace/scripts.def
cases=tests/peers/cases.txt

# there TEST: trace/NAME, peer/NAME, FILE or FILE [sentence]
there() {
    local name=${1%% \[*} sentence
    case $name in
    trace/*) grep -qx "SCRIPT(${name#trace/})" "$scripts" || { echo "no script of $scripts is called ${name#trace/}" && return; } ;;
    peer/*) grep -q "^${name#peer/} " "$cases" || { echo "no case of $cases is called ${name#peer/}" && return; } ;;
    *) [ -f "tests/$name" ] || { echo "there is no tests/$name" && return; } ;;
    esac
    [[ $1 == *' ['*']' ]] || return
    sentence=${1#* [}
    case $name in
    trace/*) grep -qrF -- "${sentence%]}" tests/trace || echo "tests/trace does not have: ${sentence%]}" ;;
    *) grep -qF -- "${sentence%]}" "tests/$name" || echo "tests/$name does not have: ${sentence%]}" ;;
    esac
}

entries=0 tests=0 findings=
entry='' named=0
ends() {
    [ -n "$entry" ] && [ "$named" -eq 0 ] && findings+="$table: no test is named for: $entry"$'\n'
    named=0
}
while IFS= read -r line; do
    case $line in
    '' | '#'*) continue ;;
    ' '*)
        while read -r test; do
            missing=$(there "$test")
            [ -z "$missing" ] || findings+="$entry: $missing"$'\n'
            tests=$((tests + 1)) named=$((named + 1))
        done < <(sed 's/^ *//; s/, \([a-z]*\/\)/\n\1/g' <<<"$line")
        ;;
    *)
        ends
        entry=$line
        entries=$((entries + 1))
        ;;
    esac
done <"$table"
ends
verdict "field: $entries reports and habits name $tests tests" "${findings%$'\n'}" "tests/field.txt and the tests differ"
verdict "field: the table is there" "$([ "$entries" -ge 40 ] || echo "$table: only $entries entries were read")" "read it"
