#!/bin/bash
# The README's table of programs: made from what tests print, the same for the same results, and old rows stay where a test did
# not run to its end.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
mkdir "$work/apps" "$work/logs" && cp "$top/tests/apps/table.py" "$work/apps/" || fail "cannot copy the table's maker"
cd "$work" || exit 1

# test_file NAME PROGRAM…: a test of these programs.
test_file() {
    local name=$1
    shift
    { echo '#!/bin/bash' && printf '# program: %s\n' "$@"; } >"apps/$name.sh"
}

# result NAME STATUS LINE…: what it said.
result() {
    local name=$1 status=$2
    shift 2
    printf '%s\n' "$@" >"logs/$name.log"
    echo "$status" >"logs/$name.status"
}

# row NAME WANTED: after the table is made, the line that begins with that program ("" for none).
row() {
    local got
    /usr/bin/python3 apps/table.py README.md logs 2>err
    got=$(grep "^| $2 " README.md)
    if [ "$got" = "$3" ]; then ok "programs_table/$1"; else not_ok "programs_table/$1: '$got', expected '$3' $(cat err)"; fi
}

printf '%s\n' before '<!-- programs:begin -->' '| Zed (1) | old | 1/1 |' '| beta (2) | old | 3/3 |' '<!-- programs:end -->' after >README.md
test_file a Alpha 'Alpha two'
test_file beta beta
echo '#!/bin/bash' >apps/general.sh
result a 0 'version Alpha v1.2' 'version Alpha two 3' 'ok a: sends' 'ok a: both sides are proved' '# noise' 'ok a: sends|gets'
result general 0 'ok general: thing'
row new 'Alpha (1.2), Alpha two' '| Alpha (1.2), Alpha two (3) | sends; sends\|gets | 3/3 |'
row kept beta '| beta (2) | old | 3/3 |'
row dropped Zed ''
row general general ''

touch -d '2001-01-01' README.md
row again beta '| beta (2) | old | 3/3 |'
if [ "$(stat -c %Y README.md)" -lt 1000000000 ]; then ok programs_table/stable; else not_ok "programs_table/stable: written anew"; fi

result beta 124 'version beta 9' 'ok beta: begins'
row no-end-in-time beta '| beta (2) | old | 3/3 |'
result beta 77 'skipped: not installed'
row skipped beta '| beta (2) | old | 3/3 |'
result beta 1 'version beta 9' 'ok beta: one' 'not ok beta: two' 'skip beta/three not here'
row failed beta '| beta (9) | one | 1/2, 1 skipped |'
test_file beta_more beta
row half-run beta '| beta (9) | one | 1/2, 1 skipped |'
result beta 0 'version beta 9' 'ok beta: one'
result beta_more 0 'version beta 10' "ok beta: $(printf 'long %.0s' {1..50})" 'ok beta: short'
row two-files beta "| beta (9 and 10) | one | 3/3 |"

if [ "$(head -n 1 README.md)$(tail -n 1 README.md)" = beforeafter ]; then ok programs_table/rest; else not_ok "programs_table/rest"; fi
echo nothing >README.md
if ! /usr/bin/python3 apps/table.py README.md logs 2>err && grep -q 'has no lines' err; then
    ok programs_table/no-markers
else
    not_ok "programs_table/no-markers: $(cat err)"
fi
[ "$failures" -eq 0 ]
