# The few commands there are. Needs make and a POSIX shell; `make deps` brings the rest.

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

NODES ?= 5
SEEDS ?= 200
JOBS := $(shell nproc 2>/dev/null || echo 2)
BIN := build/bin

# $(call step,what it does,the command,what to do when it fails)
step = @echo "make: $(strip $(1))"; $(strip $(2)) || \
  { echo "make: failed: $(strip $(1))" >&2; echo "make: $(strip $(3))" >&2; exit 1; }

.PHONY: help deps build lab lab-down test bench bench-flock bench-trust tidy sanitize release-protos clean

help:
	@echo "make lab        install what is missing, build, power up $(NODES) nodes on this machine"
	@echo "make lab-down   end them"
	@echo "make test       install what is missing, build, run every test"
	@echo "make build      build the programs into $(BIN)"
	@echo "make bench      print what is promised beside what is measured"
	@echo "make bench-flock  the same for flock: 200 real nodes, Serf beside them; as root"
	@echo "make bench-trust  the same for keys: what TLS costs a call, how soon a revoked key is refused, what hostile peers do"
	@echo "make tidy       format the code and lint it"
	@echo "make sanitize   the tests that start no nodes, under address, undefined and thread sanitizers"
	@echo "make release-protos  keep the protos as they are now: later changes that break who was built against them are refused"
	@echo "make deps       install what is missing"
	@echo "make clean      remove everything that was built"

deps:
	@deploy/install-packages.sh
	@deploy/install-packages.sh --optional || echo "make: going on without them; the tests that need them say 'skipped'"
	@deploy/install-node-packages.sh build/tools/node || echo "make: going on without; node_test says 'skipped'"

build: build/release/build.ninja
	$(call step,building the programs into $(BIN),\
	  cmake --build --preset release,\
	  the first error above says where; a second 'make build' goes on from there)

# Generated once; Ninja renews it by itself when a CMake file changes.
build/%/build.ninja:
	@deploy/install-packages.sh --check
	$(call step,configuring build/$*,\
	  cmake --preset $*,\
	  the first error above says what CMake misses; 'make deps' installs packages)

lab: deps
	@$(MAKE) build
	$(call step,powering up $(NODES) nodes,\
	  $(BIN)/radix lab up --nodes $(NODES),\
	  the lines above say what is missing; nothing was left running)

lab-down:
	@test -x $(BIN)/radix || { echo "make: $(BIN)/radix is not built: no lab of this checkout is up"; exit 0; }; \
	  $(BIN)/radix lab down

test: deps
	@$(MAKE) build
	$(call step,running every test,\
	  ctest --preset release --parallel $(JOBS),\
	  the tests that failed are named above; 'ctest --preset release -R NAME' runs one again)

bench: deps
	@$(MAKE) build
	$(call step,measuring,\
	  SEEDS=$(SEEDS) /usr/bin/python3 -B tests/bench/bench.py $(BIN),\
	  see above which figure could not be taken)

# Serf is not on every mirror: without it the figures beside it are said to be skipped.
bench-flock: deps
	@$(MAKE) build
	@deploy/install-packages.sh --bench || echo "make: going on without"
	$(call step,measuring flock,\
	  /usr/bin/python3 -B tests/bench/bench_flock.py $(BIN),\
	  see above which promise was missed or which figure could not be taken)

bench-trust: deps
	@$(MAKE) build
	$(call step,measuring trust,\
	  /usr/bin/python3 -B tests/bench/bench_trust.py $(BIN),\
	  see above which promise was missed)

tidy: deps build/dev/build.ninja
	$(call step,formatting,\
	  git ls-files '*.h' '*.cc' '*.proto' | xargs clang-format -i,\
	  clang-format says above what it could not read)
	$(call step,generating the protos,\
	  cmake --build --preset dev --target radix_protos galumph_protos,\
	  the first error above says where)
	$(call step,linting,\
	  git ls-files '*.cc' | xargs -P $(JOBS) -n 4 clang-tidy --quiet -p build/dev,\
	  every finding above is an error: mend it)

# cmake/radix.cmake says which tests.
sanitize: deps build/tsan/build.ninja build/asan/build.ninja
	$(call step,building with the thread sanitizer,\
	  cmake --build --preset tsan --target radix_tests,the first error above says where)
	$(call step,testing with it what has threads and no gRPC,\
	  ctest --preset tsan --parallel $(JOBS),the sanitizer's report is above)
	$(call step,building with the address and undefined sanitizers,\
	  cmake --build --preset asan --target radix_tests,the first error above says where)
	$(call step,testing with them all that starts no nodes,\
	  ctest --preset asan --parallel $(JOBS),the sanitizer's report is above)

# With a release, and only with one.
release-protos: deps
	$(call step,writing protos/released.binpb,\
	  cd protos && protoc --descriptor_set_out=released.binpb $$(git ls-files '*.proto'),\
	  protoc says above what it could not read)

clean:
	rm -rf build
