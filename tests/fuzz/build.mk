# Fuzz targets: in make check ten seconds each of deterministic mutations, in make soak ten minutes each under libFuzzer
# with AddressSanitizer (clang-14 and its fuzzer library; where they are missing the mutations run instead, and run.py says so).
#
# $(1) name, $(2) sources of the code under test, $(3) our libraries that hold them, $(4) further linker arguments
define fuzz_target
$(call tool,fuzz_$(1),tests/fuzz/fuzz_$(1).cc tests/fuzz/fuzz_driver.cc,$(3),$(4))
CHECKS += fuzz_$(1)|60 beside|$(O)/tests/fuzz_$(1) --seconds 10
SOAKS  += fuzz_$(1)|900|python3 tests/fuzz/run.py --driver $(O)/tests/fuzz_$(1) --seconds 600 --link='$(4)' tests/fuzz/fuzz_$(1).cc $(2)
endef

fuzz_base := $(wildcard libdsm/base/*.cc) $(wildcard libdsm/os/*.cc)
$(eval $(call fuzz_target,wire,$(wildcard libdsm/wire/*.cc) libdsm/transport/frame_reader.cc $(fuzz_base),dsm_transport dsm_wire dsm_os dsm_base,-luring))
$(eval $(call fuzz_target,introduction,$(addprefix libdsm/transport/,hmac_authenticator.cc tls_authenticator.cc tls_stream.cc link_hello.cc) $(fuzz_base),dsm_transport dsm_os dsm_base,-luring -lssl -lcrypto))
$(eval $(call fuzz_target,control,libdsm/agent/launcher_port.cc tools/common/line_stream.cc pagedir/mutation.cc $(wildcard libdsm/stats/*.cc) $(fuzz_base),dsm_agent dsm_tools dsm_stats pagedir dsm_os dsm_base,-luring -lcrypto -lfmt))
$(eval $(call fuzz_target,join,tools/dsm-launch/join_port.cc $(fuzz_base),dsm_os dsm_base,$(OBJ)/tools/dsm-launch/join_port.o -luring))
$(O)/tests/fuzz_join: $(OBJ)/tools/dsm-launch/join_port.o
$(eval $(call fuzz_target,checkpoint,$(filter-out %/job_store.cc %/prune.cc,$(wildcard libdsm/ckpt/*.cc)) $(fuzz_base),dsm_ckpt dsm_os dsm_base,$(ckpt_links)))
$(eval $(call fuzz_target,elf,libdsm/runtime/elf_check.cc $(fuzz_base),dsm_os dsm_base,$(OBJ)/libdsm/runtime/elf_check.o -luring))
$(O)/tests/fuzz_elf: $(OBJ)/libdsm/runtime/elf_check.o

$(eval $(call fuzz_target,image,libdsm/runtime/process_image_check.cc $(fuzz_base),dsm_os dsm_base,$(OBJ)/libdsm/runtime/process_image_check.o -luring))
$(O)/tests/fuzz_image: $(OBJ)/libdsm/runtime/process_image_check.o

# Whole files: programs with damaged headers under the runtime, beside the kernel's own opinion of each.
CHECKS += elf_mutants|120 beside|python3 tests/fuzz/elf_mutants.py $(O) --seconds 10
SOAKS  += elf_mutants|900|python3 tests/fuzz/elf_mutants.py $(O) --seconds 600
