# The C programs that the integration tests run: plain POSIX, never linked with the library, never sanitized.
TRACE_SRC := $(wildcard tests/trace/*.c)
TRACE_OBJ := $(TRACE_SRC:tests/%.c=$(B)/tests/%.o)
PEERS_BIN := $(B)/tests/peers/badpeer $(B)/tests/peers/victim
# One file each.
SMALL_BIN := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/apps/programs/*.c) tests/escape/escape.c tests/bench/echo.c)
FAULTS_BIN := $(patsubst %,$(B)/tests/faults/%,subject drive transfer inject.so clock.so)
CROWD     := $(B)/tests/bench/scale/crowd
TEST_PROGRAMS := $(B)/tests/demangle.so $(B)/tests/trace/trace $(PEERS_BIN) $(SMALL_BIN) $(FAULTS_BIN) $(CROWD)
# They pass bad pointers and counts on purpose.
MISUSE := -Wno-nonnull -Wno-stringop-overflow -Wno-stringop-overread -Wno-write-strings -Wno-discarded-qualifiers

$(B)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Ilibmeshshim $(WARN) $(MISUSE) -O2 -g $(TEST_DEFINES) $(CFLAGS) -c $< -o $@

$(B)/tests/trace/fortified.o: TEST_DEFINES := -D_FORTIFY_SOURCE=2

$(B)/tests/trace/trace: $(TRACE_OBJ) | $(B)/tests/trace/plugin.so
	$(CC) -o $@ $^ -lpthread -ldl

# What its scripts load and unload.
$(B)/tests/trace/plugin.so: tests/integration/plugin.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -shared -fPIC -o $@ $<

# Preloaded with the run-time libraries of the sanitizers.
$(B)/tests/demangle.so: tests/demangle.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) -shared -fPIC -o $@ $<

$(B)/tests/peers/badpeer: $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/peers/bad*.c))
	$(CC) -o $@ $^ -lssl -lcrypto -lpthread

$(B)/tests/peers/victim: $(B)/tests/peers/victim.o
	$(CC) -o $@ $^ -lpthread

$(B)/tests/faults/drive: $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/faults/drive_*.c))
	$(CC) -o $@ $^

$(B)/tests/faults/subject: $(patsubst tests/%.c,$(B)/tests/%.o,$(wildcard tests/faults/subject_*.c))
	$(CC) -o $@ $^

$(B)/tests/faults/transfer: %: %.o
	$(CC) -o $@ $^

$(B)/tests/faults/inject.o $(B)/tests/faults/clock.o: TEST_DEFINES := -fPIC -fno-builtin -fvisibility=hidden

$(B)/tests/faults/%.so: $(B)/tests/faults/%.o
	$(CC) -shared -o $@ $^ -lgcc_s -ldl

$(CROWD): $(CROWD).o $(B)/tests/bench/drive/clock.o
	$(CC) -o $@ $^

$(SMALL_BIN): %: %.o
	$(CC) -o $@ $^ -lpthread
