# meshshim. `make help` lists the targets.
CC       ?= gcc
PREFIX   ?= /usr/local
DESTDIR  ?=
B        ?= build
# OPENSSL=shared links the system's OpenSSL instead of carrying our own, hidden copy.
OPENSSL  ?= static
VERSION  := 0.1.0

WARN     := -Wall -Wextra -Werror -Wshadow -Wcast-qual -Wmissing-prototypes -Wstrict-prototypes -Wvla \
            -Wpointer-arith -Wwrite-strings -Wformat=2 -Wno-error=deprecated-declarations
HARDEN   ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fstack-clash-protection -fcf-protection
OPT      ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DMESHSHIM_VERSION='"$(VERSION)"'
CFLAGS   += -std=gnu11 -MMD -MP
LDHARDEN := -Wl,-z,relro,-z,now,-z,defs,-z,noexecstack
SANITIZE ?=

LAYERS   := base policy stats tls conn hook admin
# Of admin/, all but what looks into the layers in between.
CORE_SRC := $(filter-out %/views.c,$(foreach d,base policy stats tls admin,$(wildcard libmeshshim/$(d)/*.c)))
LIB_SRC  := $(foreach d,$(LAYERS),$(wildcard libmeshshim/$(d)/*.c libmeshshim/$(d)/*/*.c)) $(wildcard libmeshshim/*.c)
CLI_SRC  := $(wildcard cli/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o)
CORE_OBJ := $(CORE_SRC:%.c=$(B)/%.o)
CLI_OBJ  := $(CLI_SRC:%.c=$(B)/%.o)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)

ifeq ($(OPENSSL),static)
SSL_LIBS := -Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic
# Functions of OpenSSL that its handshake finds ours in place of: see __wrap_ in libmeshshim/tls.
SSL_WRAPS := d2i_X509 ssl_log_secret EVP_KDF_fetch EVP_KDF_free EVP_KDF_CTX_new EVP_KDF_CTX_free EVP_KDF_derive EVP_Q_mac \
             EVP_KEYMGMT_names_do_all ossl_default_provider_init ossl_base_provider_init openssl_add_all_ciphers_int \
             openssl_add_all_digests_int ossl_err_load_crypto_strings \
             tls_construct_ctos_psk_kex_modes tls_construct_ctos_key_share tls_parse_stoc_key_share
# (Two that nobody asks for by their own names then.)
SSL_LIBS += $(SSL_WRAPS:%=-Wl,--wrap=%) -Wl,-u,ossl_default_provider_init -Wl,-u,ossl_err_load_crypto_strings
# Nobody else's, and so free to get its memory where we like.
CPPFLAGS += -DMESHSHIM_OWN_OPENSSL
else
SSL_LIBS := -lssl -lcrypto
endif
# AES-GCM for the faster processors of x86-64, where its static library is installed; IPSEC_MB= builds without.
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine)),)
IPSEC_MB ?= $(filter /%,$(shell $(CC) -print-file-name=libIPSec_MB.a))
endif
IPSEC_MB := $(IPSEC_MB)
# (The labels inside its functions, ..@NUMBER, are 0.2 MB of names: stripped.)
CPPFLAGS += $(if $(IPSEC_MB),-DMESHSHIM_IPSEC_MB)
INIH     := -Wl,-Bstatic -linih -Wl,-Bdynamic

.PHONY: all deps demo test unit check bench soak asan tsan fuzz install clean help format
all: needs $(B)/libmeshshim.so $(B)/meshctl ## build the library and meshctl

include tests/deps.mk
include tests/programs.mk

$(B)/libmeshshim/%.o: libmeshshim/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Ilibmeshshim $(WARN) $(HARDEN) $(OPT) $(SANITIZE) $(CFLAGS) -fPIC -fvisibility=hidden \
	    -ftls-model=initial-exec -c $< -o $@

$(B)/cli/%.o: cli/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Ilibmeshshim -Icli $(WARN) $(HARDEN) $(OPT) $(SANITIZE) $(CFLAGS) -fPIE -c $< -o $@

# The exported names are libc's and nothing else: the linker's version script comes from symbols.def.
$(B)/exports.map: libmeshshim/base/symbols.def Makefile
	@mkdir -p $(@D)
	@{ echo '{ global:'; sed -n 's/^SYM[_A-Z]*([^,]*, *\([A-Za-z0-9_]*\),.*/\1;/p' $<; echo 'local: *; };'; } > $@

# Second names of one function, for the linker too.
$(B)/aliases.ld: libmeshshim/base/symbols.def Makefile
	@mkdir -p $(@D)
	@sed -n 's/^SYM_ALIAS([^,]*, *\([A-Za-z0-9_]*\), *\([A-Za-z0-9_]*\))/\1 = \2;/p' $< > $@

$(B)/libmeshshim.so: $(LIB_OBJ) $(B)/exports.map $(B)/aliases.ld
	$(CC) -shared $(SANITIZE) $(LDHARDEN) -Wl,--version-script=$(B)/exports.map -Wl,--exclude-libs,ALL \
	    -Wl,--gc-sections -Wl,-soname,libmeshshim.so -o $@.unstripped $(LIB_OBJ) $(B)/aliases.ld $(INIH) $(IPSEC_MB) $(SSL_LIBS) -lpthread -ldl
	@if [ -z "$(SANITIZE)" ]; then strip --strip-debug -w -N '..@*' -o $@.new $@.unstripped; else cp $@.unstripped $@.new; fi
	@mv $@.new $@

$(B)/libcore.a: $(CORE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/meshctl: $(CLI_OBJ) $(B)/libcore.a
	$(CC) -pie $(SANITIZE) $(LDHARDEN) -o $@ $(CLI_OBJ) $(B)/libcore.a $(INIH) $(IPSEC_MB) -lssl -lcrypto -lpthread -ldl

$(B)/libfamily.a: $(patsubst %.c,$(B)/%.o,$(wildcard libmeshshim/conn/family/*.c) libmeshshim/conn/ownfd.c)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/unit/%: tests/unit/%.c $(B)/libfamily.a $(B)/libcore.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Ilibmeshshim -Itests/unit $(WARN) $(OPT) $(SANITIZE) $(CFLAGS) -o $@ $< $(B)/libfamily.a $(B)/libcore.a $(INIH) $(IPSEC_MB) \
	    -lcunit -lssl -lcrypto -lpthread -ldl -lm

unit: $(UNIT_BIN) ## the CUnit suites alone
	@tests/unit/run $(UNIT_BIN)

test: deps built ## every test
	@tests/run

demo: ## two unmodified programs, mutual TLS between them
	@tests/deps $(BUILD_PACKAGES) $(DEMO_PACKAGES)
	@$(MAKE) --no-print-directory all
	@examples/demo/run

check: deps all ## linters, layering, symbols, documentation
	@tests/check/run

bench: deps all ## plain, own TLS, pairs of sidecars and meshed, side by side
	@tests/deps $(BENCH_PACKAGES)
	@tests/bench/run

# Not part of `make test`: CI takes five minutes of it.
DURATION ?= 1h
soak: deps all ## mixed load with kills, refusals and new identities; nothing may grow (DURATION=1h)
	@tests/soak/run $(DURATION)

asan: ## the suite under address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory B=build/asan OPENSSL=$(OPENSSL) HARDEN= OPT='-O1 -g -fno-omit-frame-pointer' \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' sanitized

tsan: ## the suite under the thread sanitizer
	@$(MAKE) --no-print-directory B=build/tsan OPENSSL=$(OPENSSL) HARDEN= OPT='-O1 -g -fno-omit-frame-pointer' \
	    SANITIZE='-fsanitize=thread' sanitized

.PHONY: built sanitized
built: all $(UNIT_BIN) $(TEST_PROGRAMS) # what the tests need

sanitized: deps built
	@B=$(B) tests/run

$(B)/fuzz/%: tests/fuzz/%.c $(CORE_SRC) $(LIB_SRC) $(CLI_SRC)
	@mkdir -p $(@D)
	clang $(CPPFLAGS) -Ilibmeshshim -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=undefined -o $@ $< $$(sed -n 's,^// *links: *,,p' $<) $(CORE_SRC) -l:libinih.a $(IPSEC_MB) -lssl -lcrypto -lpthread -ldl

fuzz: deps $(FUZZ_BIN) ## the fuzzers, each for a bounded time (SECONDS=20)
	@tests/fuzz/run $(FUZZ_BIN)

install: all ## PREFIX, DESTDIR
	install -D -m 755 $(B)/libmeshshim.so $(DESTDIR)$(PREFIX)/lib/libmeshshim.so
	install -D -m 755 $(B)/meshctl $(DESTDIR)$(PREFIX)/bin/meshctl
	install -D -m 644 conf/mesh.ini $(DESTDIR)$(PREFIX)/share/meshshim/mesh.ini
	install -D -m 644 cli/meshctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/meshctl.1
	install -D -m 644 conf/mesh.ini.5 $(DESTDIR)$(PREFIX)/share/man/man5/mesh.ini.5
	install -D -m 644 cli/meshctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/meshctl

format: ## clang-format over every C file
	clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

-include $(shell [ -d $(B) ] && find $(B) -name '*.d')
