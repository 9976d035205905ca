# Stress: many threads on few pages.

include tests/programs/subject.mk

$(eval $(call subject,page_hammer,tests/stress/page_hammer.cc,))
$(eval $(call test,hammer_page_test,tests/stress/hammer_page_test.cc,,))

hammer := $(O)/bin/dsm-launch -n 8 --place rr -- $(O)/tests/subjects/page_hammer --threads 64 --pages 1000
CHECKS += page_hammer|150|$(hammer) --seconds 15 --min-ops 50000
SOAKS  += page_hammer|300|$(hammer) --seconds 60 --min-ops 200000

# An eighth of the target in make check, the whole of it in make soak.
$(eval $(call subject,memory_sweep,tests/stress/memory_sweep.c,))
CHECKS += memory_budget|240 beside|python3 tests/stress/memory_budget.py $(O) --mem-mib 64 --program-mib 192 --seconds 200
SOAKS  += memory_budget|900|python3 tests/stress/memory_budget.py $(O) --seconds 800
