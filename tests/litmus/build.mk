# Litmus tests of the memory model, run on four nodes.

include tests/programs/subject.mk

litmus_sources := $(addprefix tests/litmus/,litmus.cc litmus_rounds.cc litmus_tests.cc)
$(eval $(call subject,litmus,$(litmus_sources),-Ilibdsm/include))
$(eval $(call test,litmus_tests_test,$(addprefix tests/litmus/,litmus_tests_test.cc litmus_tests.cc),,))

litmus_run := $(O)/bin/dsm-launch -n 4 --place rr -- $(O)/tests/subjects/litmus
CHECKS += litmus|600|$(litmus_run) --iterations 20000
SOAKS  += litmus|14400|$(litmus_run) --iterations 1000000
