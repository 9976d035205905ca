# SPDX-License-Identifier: Apache-2.0
# make install DESTDIR= PREFIX=/usr/local, and make uninstall, which removes exactly the same files.
#
# Programs find the runtime at ../lib/dsm beside their own folder, so a tree may be moved after installation.
# The udev rule and the group are for a system's administrator: see README.md, "Ordinary users".

.PHONY: install uninstall

install_root := $(DESTDIR)$(PREFIX)
installed_to  = $(addprefix $(install_root)/$(1)/,$(notdir $(2)))

# udev and systemd read their own folders only, wherever the programs go.
UDEVDIR     ?= $(if $(filter /usr/local,$(PREFIX)),/etc/udev/rules.d,$(PREFIX)/lib/udev/rules.d)
SYSUSERSDIR ?= $(if $(filter /usr/local,$(PREFIX)),/etc/sysusers.d,$(PREFIX)/lib/sysusers.d)

install_headers := $(wildcard libdsm/include/dsm/*.h)
install_man1    := $(wildcard docs/man/*.1)
install_man3    := $(wildcard docs/man/*.3)
install_docs    := README.md LICENSE $(wildcard docs/*.md)

# $(1) mode, $(2) folder below PREFIX, $(3) files
put = $(if $(strip $(3)),install -d $(install_root)/$(2) && install -m $(1) $(3) $(install_root)/$(2)/,:)

install: all
	@$(call put,755,bin,$(PROGRAMS))
	@$(call put,755,lib,$(INSTALL_LIBS))
	@$(call put,755,lib/dsm,$(INSTALL_RUNTIME))
	@$(call put,644,include/dsm,$(install_headers))
	@$(call put,644,share/man/man1,$(install_man1))
	@$(call put,644,share/man/man3,$(install_man3))
	@$(call put,644,share/doc/dsm,$(install_docs))
	@install -d $(DESTDIR)$(UDEVDIR) $(DESTDIR)$(SYSUSERSDIR)
	@install -m 644 build-aux/packaging/70-dsm.rules $(DESTDIR)$(UDEVDIR)/
	@install -m 644 build-aux/packaging/dsm.conf $(DESTDIR)$(SYSUSERSDIR)/
	@echo "Installed below $(install_root)."
	@$(if $(DESTDIR),:,echo "Ordinary users need the group 'dsm' and the udev rule: see $(PREFIX)/share/doc/dsm/README.md.")

uninstall:
	rm -f $(call installed_to,bin,$(PROGRAMS)) $(call installed_to,lib,$(INSTALL_LIBS)) \
	      $(call installed_to,lib/dsm,$(INSTALL_RUNTIME)) $(call installed_to,include/dsm,$(install_headers)) \
	      $(call installed_to,share/man/man1,$(install_man1)) $(call installed_to,share/man/man3,$(install_man3)) \
	      $(call installed_to,share/doc/dsm,$(install_docs)) \
	      $(DESTDIR)$(UDEVDIR)/70-dsm.rules $(DESTDIR)$(SYSUSERSDIR)/dsm.conf
	-rmdir --ignore-fail-on-non-empty $(wildcard $(install_root)/lib/dsm $(install_root)/include/dsm $(install_root)/share/doc/dsm)
