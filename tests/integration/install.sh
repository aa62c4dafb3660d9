#!/bin/bash
# make install puts everything where it belongs, under DESTDIR and nowhere else, and what is installed runs from there.
# timeout: 120
# shellcheck disable=SC2015 # ok never fails
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

[ "$slow" -eq 1 ] || skip "what a sanitizer's build makes is not for installing"
make -s -C "$top" B="$B" install DESTDIR="$work/root" PREFIX=/opt/meshshim >"$work/make.log" 2>&1 || fail "make install failed"
prefix=$work/root/opt/meshshim

# installed FILE MODE
installed() {
    local mode
    mode=$(stat -c %a "$prefix/$1" 2>/dev/null)
    [ "$mode" = "$2" ] && ok "install: $1" || not_ok "install: $1 has mode '${mode:-none: it is missing}', expected $2"
}
installed lib/libmeshshim.so 755
installed bin/meshctl 755
installed share/meshshim/mesh.ini 644
installed share/man/man1/meshctl.1 644
installed share/man/man5/mesh.ini.5 644
installed share/bash-completion/completions/meshctl 644
stray=$(find "$work/root" -type f | grep -v "^$prefix/")
[ -z "$stray" ] && ok "install: nothing outside the prefix" || not_ok "install: outside the prefix: $stray"

if "$prefix/bin/meshctl" version >"$work/version.log" 2>&1 && grep -q '[0-9]\.[0-9]' "$work/version.log"; then
    ok "install: meshctl version runs"
else
    not_ok "install: meshctl version: $(cat "$work/version.log")"
fi
# It finds the library beside itself: an installed meshctl needs no --library.
cat >"$work/none.ini" <<INI
[workload]
name = nobody
runtime_dir = $work/runtime
INI
said=$("$prefix/bin/meshctl" run --config "$work/none.ini" -- printenv LD_PRELOAD 2>&1)
[ "$said" = "$prefix/lib/libmeshshim.so" ] && ok "install: meshctl run finds the library" || not_ok "install: meshctl run: $said"
[ "$failures" -eq 0 ]
