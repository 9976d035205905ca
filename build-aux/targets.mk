# SPDX-License-Identifier: Apache-2.0
# The commands of the tree. What each test is lives beside the tests; how they are run in build-aux/run-checks.

.PHONY: all tests check soak bench demo lint clean

all: $(LIBRARIES) $(SHARED) $(PROGRAMS) $(EXAMPLES)
tests: all $(TESTS) $(TEST_TOOLS) $(CHECK_FILES)

# ---- Run -----------------------------------------------------------------------------------------------------
ONLY ?= .

# Entries are kept in a file so that no shell parses them twice.
# $(1) title of the run, $(2) variable that holds the entries
run_checks = $(file >$(O)/$(1).list,$($(2)))build-aux/run-checks --entries $(O)/$(1).list --logs $(O)/logs/$(1) --only '$(ONLY)'

# A GoogleTest program has 300 s, or what DEADLINE_<name> says.
test_entries := $(foreach t,$(TESTS),$(notdir $(t))|$(or $(DEADLINE_$(notdir $(t))),300)|$(t))
check_entries = $(test_entries) $(CHECKS)

check: tests
	@$(call run_checks,check,check_entries)

soak: tests
	@$(call run_checks,soak,SOAKS)

bench: tests
	@$(call run_checks,bench,BENCHES) --show

demo: all
	@python3 examples/demo.py --build $(O)

lint:
	@python3 build-aux/lint --runtime $(INSTALL_RUNTIME) --cc '$(CC)' --cxx '$(CXX)'

clean:
	rm -rf $(O)

include build-aux/install.mk
