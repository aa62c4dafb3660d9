# shellcheck shell=bash
# cppcheck over the library and meshctl. What it gets wrong is in cppcheck.txt.
. tests/check/say.sh
needs cppcheck cppcheck

mapfile -t files < <(tracked 'libmeshshim/*.c' 'cli/*.c' 'tests/unit/*.c' 'tests/fuzz/*.c')
found=$(cppcheck --quiet --enable=warning,performance,portability --inline-suppr -j "$(nproc)" --std=c11 \
    --library=posix --library=gnu --template='{file}:{line}: {severity}: {message} [{id}]' --template-location='' \
    --suppressions-list=tests/check/cppcheck.txt -D_GNU_SOURCE -D__x86_64__ -DMESHSHIM_VERSION='""' \
    -Ilibmeshshim -Icli -Itests/unit "${files[@]}" 2>&1 | sed '/^$/d')
verdict "cppcheck: ${#files[@]} files" "$found" "mend it, or say in tests/check/cppcheck.txt why it is wrong"
