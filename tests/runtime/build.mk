# The runtime by itself: one node, a minimal agent, real programs.
$(eval $(call tool,runtime_solo,tests/runtime/runtime_solo.cc tests/runtime/solo_agent.cc,dsm_tools dsm_os dsm_base,$(OBJ)/libdsm/runtime/process_image_check.o -lfmt -lelf -luring))
$(O)/tests/runtime_solo: $(OBJ)/libdsm/runtime/process_image_check.o
$(eval $(call tool,address_ops,tests/runtime/address_ops.cc,,$(NO_SAN)))
$(eval $(call tool,file_family,tests/runtime/file_family.c,,$(NO_SAN)))
$(eval $(call tool,static_program,tests/runtime/link_kinds.c,,$(NO_SAN) -static))
$(eval $(call tool,static_pie_program,tests/runtime/link_kinds.c,,$(NO_SAN) -static-pie))
$(eval $(call tool,fixed_address_program,tests/runtime/link_kinds.c,,$(NO_SAN) -no-pie))
$(eval $(call tool,checkpoint_kinds,tests/runtime/checkpoint_kinds.c tests/runtime/checkpoint_files.c,,$(NO_SAN)))
$(eval $(call tool,checkpoint_threads,tests/runtime/checkpoint_threads.c,,$(NO_SAN)))
$(eval $(call tool,restoring_runtime,tests/runtime/restoring_runtime.cc tests/runtime/solo_agent.cc))
launch_but_main := $(filter-out %/dsm_launch_main.cc,$(wildcard tools/dsm-launch/*.cc))
$(eval $(call tool,restoring_launch,tests/runtime/restoring_launch.cc $(launch_but_main),dsm_tools dsm_ckpt dsm_os dsm_base,$(OBJ)/libdsm/runtime/process_image_check.o $(ckpt_links) -lfmt -lelf))
$(O)/tests/restoring_launch: $(OBJ)/libdsm/runtime/process_image_check.o
CFLAGS_tests_runtime := $(NO_SAN)
FLAGS_tests_runtime_address_ops := $(NO_SAN)

CHECKS += runtime_solo|300|python3 tests/runtime/solo_cases.py $(O)
CHECKS += checkpoint_cases|400|python3 tests/runtime/checkpoint_cases.py $(O)
CHECKS += checkpoint_nodes|400|python3 tests/runtime/checkpoint_nodes.py $(O)
# The same on a second node, against a model that the main thread shares.
CHECKS += address_ops_remote|200|$(O)/bin/dsm-launch -n 2 -- $(O)/tests/address_ops 1 25 thread
