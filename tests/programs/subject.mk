# Programs that are run under dsm, as opposed to programs of dsm: ordinary executables of the
# reference compiler, without the sanitizers and special flags that the tree may be built with.
# Included by each folder that builds some.
#
#   $(eval $(call subject,NAME,SOURCES,FLAGS,LIBRARIES))  -> $(O)/tests/subjects/NAME, all C or all C++
#
# Depends on its sources and on all headers of their folder and the one above it.

SUBJECT_CC  ?= gcc
SUBJECT_CXX ?= g++
SUBJECT_FLAGS := -O2 -g -Wall -Wextra -Wshadow -Wno-missing-field-initializers -D_GNU_SOURCE

subject_compiler = $(if $(filter %.cc,$(1)),$(SUBJECT_CXX) -std=c++20,$(SUBJECT_CC) -std=c11)
subject_headers = $(wildcard $(addsuffix *.h,$(sort $(dir $(1)) $(dir $(1))../)))

define subject
TEST_TOOLS += $(O)/tests/subjects/$(strip $(1))
$(O)/tests/subjects/$(strip $(1)): $(2) $(call subject_headers,$(2)) tests/programs/subject.mk
	@mkdir -p $$(@D)
	@echo "  SUBJ  $$@"
	@$(call subject_compiler,$(2)) $(SUBJECT_FLAGS) $(3) -o $$@ $(2) $(4) -lpthread -ldl -lm
endef
