# The system-call interface, rule by rule, natively and over nodes. See run.py.
#
# A program is a source file here; its cases are found by themselves.

include tests/programs/subject.mk

conformance_programs := $(basename $(notdir $(wildcard tests/conformance/*.c)))
$(foreach p,$(conformance_programs),$(eval $(call subject,conformance/$(p),tests/conformance/$(p).c,-Ilibdsm/include -I.)))

CHECKS += conformance_main|400 beside|python3 tests/conformance/run.py --build $(O) --ways main
CHECKS += conformance_thread|400 beside|python3 tests/conformance/run.py --build $(O) --ways thread

$(eval $(call subject,refused_features,tests/conformance/subjects/refused_features.c,))
CHECKS += refused_features|60|python3 tests/conformance/refused_features.py $(O)
