# What building and testing need, as Debian packages. `make deps` installs what is missing, `make` only names it.
BUILD_PACKAGES := gcc libc6-dev libssl-dev libinih-dev
# Debian has it for amd64 alone; elsewhere OpenSSL does all.
ifeq ($(shell uname -m),x86_64)
BUILD_PACKAGES += libipsec-mb-dev
endif
DEMO_PACKAGES  := curl nginx-light python3
TEST_PACKAGES  := libcunit1-dev openssl curl nginx-light redis-server redis-tools wrk haproxy socat python3 nodejs \
                  valgrind clang libclang-rt-14-dev clang-format clang-tidy cppcheck shellcheck binutils procps \
                  apache2-utils lighttpd memcached iperf3 ncat
# A test of one program says by itself what it needs: "# packages: NAME…" in its head.
TEST_PACKAGES  += $(sort $(shell sed -n 's/^\# packages: //p' tests/*/*.sh))
# What meshing is compared with.
BENCH_PACKAGES := postgresql libnginx-mod-stream stunnel4 hitch
# Likewise "# npm: PACKAGE@VERSION" for what Debian is too old for; it is kept in $(B)/npm.
NPM_PACKAGES   := $(sort $(shell sed -n 's/^\# npm: //p' tests/*/*.sh))

.PHONY: needs
needs:
	@missing=; for h in openssl/ssl.h ini.h; do \
	    echo "#include <stdio.h>" | cat - > /dev/null; \
	    printf '#include <stdio.h>\n#include <%s>\n' $$h | $(CC) -E -x c - >/dev/null 2>&1 || missing="$$missing $$h"; \
	done; \
	if [ -n "$$missing" ]; then \
	    echo "make: headers not found:$$missing. Install them with: make deps   (or: sudo apt-get install $(BUILD_PACKAGES))" >&2; exit 1; fi

deps: ## install what building and testing need (apt and npm; sudo only when not root)
	@tests/deps $(BUILD_PACKAGES) $(TEST_PACKAGES)
	@tests/guest/kernel >/dev/null || echo "deps: the tests that boot a kernel of their own will be skipped"
	@tests/deps_npm $(B)/npm $(NPM_PACKAGES)
