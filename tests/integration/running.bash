# shellcheck shell=bash
# For the tests of meshctl run. Sourced after lib.sh: a stand-in for the library, programs to try, and what is to come out.
# shellcheck disable=SC2154 # lib.sh assigns work and meshctl

[ -x "$meshctl" ] || fail "$meshctl is not built: make"
cd "$work" || exit 1
printf '[workload]\nname = web\nruntime_dir = %s/run\n' "$work" >mesh.ini
unset LD_PRELOAD MESHSHIM_CONFIG

# A stand-in for the library, for these are questions about meshctl: it tells that it was loaded.
cat >fake.c <<'C'
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { (void)!write(1, "loaded\n", 7); }
C
echo 'int main(void) { return 7; }' >program.c
gcc -shared -fPIC -o libfake.so fake.c && gcc -o dynamic program.c && gcc -static -o static program.c ||
    fail "cannot compile the programs to try"
run=("$meshctl" run --config mesh.ini --library libfake.so)

# refused NAME WORDS PROGRAM…: exit status 1, one line on standard error that says WORDS, and nothing was run.
refused() {
    local name=$1 words=$2
    shift 2
    "${run[@]}" -- "$@" >out 2>err
    if [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q -- "$words" err && [ ! -s out ]; then
        ok "$test_name/$name"
    else
        not_ok "$test_name/$name: expected a refusal that says '$words'"
        sed 's/^/#   /' out err
    fi
}

# runs NAME STATUS ARGUMENTS…: the library was loaded and the exit status is the program's.
runs() {
    local name=$1 status=$2 got
    shift 2
    "${run[@]}" "$@" >out 2>err
    got=$?
    if [ "$got" -eq "$status" ] && grep -q loaded out; then
        ok "$test_name/$name"
    else
        not_ok "$test_name/$name: exit status $got, expected $status with the library loaded"
        sed 's/^/#   /' out err
    fi
}

is() {
    if [ "$2" = "$3" ]; then ok "$test_name/$1"; else not_ok "$test_name/$1: '$2', expected '$3'"; fi
}
