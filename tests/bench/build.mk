# What dsm costs beside the limits of the machine it runs on. See run.py.

include tests/programs/subject.mk

bench_kernel = $(eval $(call subject,$(1),tests/bench/kernels/$(1).c libdsm/preload/dsm_api.c,-I. -Ilibdsm/include))
$(call bench_kernel,page_latency)
$(call bench_kernel,lease_kernels)

$(eval $(call tool,transport_bench,tests/bench/transport_bench.cc tests/bench/raw_tcp.cc,\
                  dsm_transport dsm_os dsm_base,-luring -lcrypto))
$(eval $(call tool,machine_limits,tests/bench/machine_limits.cc tests/bench/raw_tcp.cc,dsm_os dsm_base))
$(eval $(call tool,checkpoint_bench,tests/bench/checkpoint_bench.cc,dsm_agent dsm_ckpt dsm_memory dsm_coherence pagedir dsm_wire dsm_os dsm_base,$(ckpt_links)))

BENCHES += transport|120|$(O)/tests/transport_bench 5
BENCHES += dsm|1800|python3 tests/bench/run.py --build $(O)
