# SPDX-License-Identifier: Apache-2.0
# Debian packages are looked at before anything else, so that a missing one is named instead of a missing header. What a
# newcomer types (check, demo, bench, soak) installs them; everything else, and NO_INSTALL=1, only names them.
#
# This happens while make reads its files: no rule, whoever wrote it, can run before it. It takes some 40 ms.

goals        := $(or $(MAKECMDGOALS),all)
dry_run      := $(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
package_sets := build $(if $(filter check soak bench tests $(O)/tests/%,$(goals)),test)
package_verb := $(if $(filter check soak bench demo,$(goals)),$(if $(NO_INSTALL)$(dry_run),need,install),need)

ifneq ($(filter-out clean uninstall,$(goals)),)
ifneq ($(shell build-aux/deps $(package_verb) $(package_sets) >&2 && echo complete),complete)
$(error packages are missing (see above))
endif
endif
