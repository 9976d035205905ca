# SPDX-License-Identifier: Apache-2.0
# Functions that a folder's build.mk calls. All paths are relative to the root of the tree.
#
# What to build
#   $(eval $(call library,NAME,SOURCES))             -> $(O)/lib/libNAME.a
#   $(eval $(call shared,NAME,SOURCES,LIBS,LDLIBS))  -> $(O)/lib/libNAME.so (compile with -fPIC, see below)
#   $(eval $(call program,NAME,SOURCES,LIBS,LDLIBS)) -> $(O)/bin/NAME       (LIBS: our libraries, dependents first)
#   $(eval $(call test,NAME,SOURCES,LIBS,LDLIBS))    -> $(O)/tests/NAME     (GoogleTest main is linked; run by make check)
#   $(eval $(call tool,NAME,SOURCES,LIBS,LDLIBS))    -> $(O)/tests/NAME     (built for the tests, not run by itself)
#   $(eval $(call example,NAME,SOURCES))             -> $(O)/examples/NAME  (an ordinary program, never sanitised)
#   A program whose sources are all C and that uses none of our libraries is linked by $(CC).
#   LDLIBS also takes -static, -no-pie, -fopenmp, $(NO_SAN) and the like.
#
# Flags of its own
#   CPPFLAGS_<folder with / as _> := ...   before the common compiler flags, for the folder's own sources
#   CXXFLAGS_<folder>, CFLAGS_<folder>     after them, so that they win (-fPIC, $(NO_SAN), -ffreestanding ...)
#   FLAGS_<source without extension, / as _> := ...     for one source only
#   $(call gcc_only,-fSOMETHING)           nothing for clang, which does not know every option of gcc
#
# What to run (targets.mk): lists of entries NAME|DEADLINE_SECONDS|COMMAND
#   CHECKS  += wire_fuzz|60|$(O)/tests/wire_fuzz --seconds 5
#   SOAKS   += ... (make soak)        BENCHES += ... (make bench)
#   COMMAND is run by bash from the root of the tree, one after another; with `beside` behind the deadline (60 beside) together with
#   others, which is for what needs one processor and measures no time. It prints `PASS name`, `FAIL name reason`
#   and `SKIP name reason` lines on stdout and exits non-zero on failure (a GoogleTest program will do; a command that
#   prints no such line counts as one test by its exit status, 77 = skipped). At the deadline it is killed with all
#   that it started, and what it leaves running afterwards is a failure too. Files that COMMAND runs belong to a
#   program, test or tool above, or to CHECK_FILES. Each `test` is an entry by itself; it has 300 s, or what
#   DEADLINE_<name> says. `make check ONLY=regex` runs the entries whose name matches.
#
# What to install beyond PROGRAMS (each an output file): INSTALL_LIBS -> lib, INSTALL_RUNTIME -> lib/dsm
#
# What is rebuilt: an object depends on its source, its headers and the text of its own command line (kept beside it
# as .cmd), an archive or program likewise. So a changed flag rebuilds just what it is used for.

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
AR := ar

O   ?= build
OPT ?= -O2

san_flags := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
# For code that a sanitiser cannot instrument: the runtime, and programs that stand for a user's.
NO_SAN    := $(if $(SAN),-fno-sanitize=all)
gcc_only   = $(if $(findstring clang,$(CXX)),,$(1))

WARN      := -Wall -Wextra -Wshadow -Wno-missing-field-initializers $(if $(WERROR),-Werror)
# gcc 12 sees an overlap in `string = "literal"` where there is none (gcc bug 105651).
WARN_CXX  := $(call gcc_only,-Wno-restrict)
CPPFLAGS  := -I. -Ilibdsm/include -Ipagedir/include -D_GNU_SOURCE
CFLAGS    := -std=c11 $(OPT) -g $(WARN) $(san_flags)
CXXFLAGS  := -std=c++20 $(OPT) -g $(WARN) $(WARN_CXX) $(san_flags)
LDFLAGS   := $(san_flags)
LDLIBS    := -lpthread

OBJ  := $(O)/obj
DEPS :=

LIBRARIES  :=
SHARED     :=
PROGRAMS   :=
TESTS      :=
TEST_TOOLS :=
EXAMPLES   :=
CHECKS     :=
SOAKS      :=
BENCHES    :=
CHECK_FILES     :=
INSTALL_LIBS    :=
INSTALL_RUNTIME :=

# ---- A command that changed makes its output stale -----------------------------------------------------------
.PHONY: FORCE
FORCE:

# $(call stale,OUTPUT,COMMAND) is FORCE unless OUTPUT was made by exactly this command.
differ = $(subst x$(strip $(1)),,x$(strip $(2)))$(subst x$(strip $(2)),,x$(strip $(1)))
stale  = $(if $(call differ,$(2),$(file <$(1).cmd)),FORCE)
quote  = '$(subst ','\'',$(strip $(1)))'

# For rules that a folder writes by itself: depend on this file to be rebuilt when the common flags change.
flags_text  := $(CC) $(CXX) | $(CPPFLAGS) | $(CFLAGS) | $(CXXFLAGS) | $(LDFLAGS)
flags_stamp := $(O)/flags.stamp
ifneq ($(flags_text),$(file <$(flags_stamp)))
$(shell mkdir -p $(O); printf '%s\n' $(call quote,$(flags_text)) > $(flags_stamp))
endif

# ---- Compile -------------------------------------------------------------------------------------------------
as_name     = $(subst /,_,$(1))
folder_name = $(call as_name,$(patsubst %/,%,$(dir $(1))))

# $(1) is the source without its extension.
cxx_command = $(CXX) $(CPPFLAGS) $(CPPFLAGS_$(call folder_name,$(1))) $(CXXFLAGS) \
              $(CXXFLAGS_$(call folder_name,$(1))) $(FLAGS_$(call as_name,$(1)))
c_command   = $(CC) $(CPPFLAGS) $(CPPFLAGS_$(call folder_name,$(1))) $(CFLAGS) \
              $(CFLAGS_$(call folder_name,$(1))) $(FLAGS_$(call as_name,$(1)))

$(OBJ)/%.o: %.cc $$(call stale,$$@,$$(call cxx_command,$$*))
	@mkdir -p $(@D)
	@echo "  CXX   $<"
	@$(call cxx_command,$*) -MMD -MP -c -o $@ $<
	@printf '%s\n' $(call quote,$(call cxx_command,$*)) > $@.cmd

$(OBJ)/%.o: %.c $$(call stale,$$@,$$(call c_command,$$*))
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(call c_command,$*) -MMD -MP -c -o $@ $<
	@printf '%s\n' $(call quote,$(call c_command,$*)) > $@.cmd

# ---- Archive and link ----------------------------------------------------------------------------------------
objects  = $(patsubst %,$(OBJ)/%.o,$(basename $(1)))
archives = $(patsubst %,$(O)/lib/lib%.a,$(1))
# $(1) sources, $(2) libraries
linker   = $(if $(filter-out %.c,$(1))$(strip $(2)),$(CXX),$(CC))

define library
LIBRARIES += $(O)/lib/lib$(strip $(1)).a
DEPS += $(patsubst %.o,%.d,$(call objects,$(2)))
$(O)/lib/lib$(strip $(1)).a: make_command := $(AR) rcs $(O)/lib/lib$(strip $(1)).a $(call objects,$(2))
$(O)/lib/lib$(strip $(1)).a: $(call objects,$(2)) \
    $$$$(call stale,$(O)/lib/lib$(strip $(1)).a,$(AR) rcs $(O)/lib/lib$(strip $(1)).a $(call objects,$(2)))
	@mkdir -p $$(@D)
	@echo "  AR    $$@"
	@rm -f $$@ && $$(make_command)
	@printf '%s\n' $$(call quote,$$(make_command)) > $$@.cmd
endef

# $(1) output, $(2) sources, $(3) libraries, $(4) further linker arguments
link_command = $(call linker,$(2),$(3)) $(LDFLAGS) -o $(strip $(1)) $(call objects,$(2)) $(call archives,$(3)) $(4) $(LDLIBS)

define link_rule
DEPS += $(patsubst %.o,%.d,$(call objects,$(2)))
$(1): make_command := $(call link_command,$(1),$(2),$(3),$(4))
$(1): $(call objects,$(2)) $(call archives,$(3)) \
    $$$$(call stale,$(1),$(call link_command,$(1),$(2),$(3),$(4)))
	@mkdir -p $$(@D)
	@echo "  LINK  $$@"
	@$$(make_command)
	@printf '%s\n' $$(call quote,$$(make_command)) > $$@.cmd
endef

define shared
SHARED += $(O)/lib/lib$(strip $(1)).so
$(call link_rule,$(O)/lib/lib$(strip $(1)).so,$(2),$(3),-shared $(4))
endef

define program
PROGRAMS += $(O)/bin/$(strip $(1))
$(call link_rule,$(O)/bin/$(strip $(1)),$(2),$(3),$(4))
endef

define test
TESTS += $(O)/tests/$(strip $(1))
$(call link_rule,$(O)/tests/$(strip $(1)),$(2),$(3),$(4) -lgtest_main -lgtest)
endef

define tool
TEST_TOOLS += $(O)/tests/$(strip $(1))
$(call link_rule,$(O)/tests/$(strip $(1)),$(2),$(3),$(4))
endef

define example
EXAMPLES += $(O)/examples/$(strip $(1))
$(call link_rule,$(O)/examples/$(strip $(1)),$(2),,$(NO_SAN) -lm)
endef
