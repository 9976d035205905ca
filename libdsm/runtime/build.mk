# The runtime: one freestanding static executable at a fixed address, for the application and for every vessel.
runtime_dir     := libdsm/runtime
runtime_sources := $(wildcard $(runtime_dir)/*.cc)
runtime_objects := $(call objects,$(runtime_sources))
runtime_program := $(O)/lib/dsm/dsm-runtime

# PIE because the image lies above 2 GiB; no TLS, no unwinding, no stack protector (its canary lives in the program's TLS).
CXXFLAGS_libdsm_runtime := $(NO_SAN) -ffreestanding -fPIE -fvisibility=hidden -fno-exceptions -fno-rtti \
    -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none -fno-threadsafe-statics \
    -fno-strict-aliasing -fno-delete-null-pointer-checks
FLAGS_libdsm_runtime_strings := $(call gcc_only,-fno-tree-loop-distribute-patterns)

runtime_link = $(CXX) -nostdlib -static -Wl,-Ttext-segment=0x558000000000 -Wl,--build-id=none \
    -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-relax -Wl,--gc-sections -o $(runtime_program) $(runtime_objects)

DEPS += $(runtime_objects:.o=.d)
INSTALL_RUNTIME += $(runtime_program)
all: $(runtime_program)

$(runtime_program): $(runtime_objects) $$(call stale,$(runtime_program),$(runtime_link))
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	@$(runtime_link)
	@printf '%s\n' $(call quote,$(runtime_link)) > $@.cmd
