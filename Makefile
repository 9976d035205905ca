# SPDX-License-Identifier: Apache-2.0
# dsm: one Linux process across many machines.
#
#   make            build everything              make check   run all tests (ONLY=regex for some)
#   make demo       show it working               make bench   measure it
#   make lint       house rules                   make soak    the long tests
#   make install    DESTDIR= PREFIX=/usr/local    make uninstall
#   make O=build/asan SAN=address,undefined       another configuration, beside the first
#   make O=build/clang CC=clang-14 CXX=clang++-14
#   OPT=-O0, WERROR=1, NO_INSTALL=1 (name missing packages, never install them)
#
# Non-recursive: each folder's build.mk adds its targets through the functions of
# build-aux/rules.mk, so one make sees the whole dependency graph.

O      ?= build
SAN    ?=
PREFIX ?= /usr/local

.DEFAULT_GOAL := all
.SECONDEXPANSION:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

include build-aux/packages.mk
include build-aux/rules.mk

BUILD_MK := $(sort $(wildcard pagedir/build.mk libdsm/*/build.mk tools/build.mk tools/*/build.mk \
                              examples/build.mk tests/*/build.mk tests/*/*/build.mk))
include $(BUILD_MK)
include build-aux/targets.mk

-include $(DEPS)
