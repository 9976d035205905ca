# The deterministic simulator of the protocol, and the proof that it bites.
$(eval $(call library,sim,$(filter-out %_main.cc,$(wildcard tests/sim/*.cc))))
$(eval $(call tool,sim,tests/sim/sim_main.cc,sim dsm_coherence pagedir dsm_wire dsm_base))

CHECKS += sim|300|$(O)/tests/sim --schedules 20000 --seed 1 --jobs 2 --name sim/20000
SOAKS  += sim_soak|10800|$(O)/tests/sim --schedules 3000000 --seed 1000000 --jobs 2 --name sim/3000000
