# The exhaustive exploration of the protocol, and the test that seeded bugs are found.
$(eval $(call library,model,$(filter-out %_main.cc,$(wildcard tests/model/*.cc))))
$(eval $(call tool,explore,tests/model/explore_main.cc,model sim dsm_coherence pagedir dsm_wire dsm_base))
$(eval $(call tool,mutation,tests/model/mutation_main.cc,model sim dsm_coherence pagedir dsm_wire dsm_base))

# Together under three minutes. What takes longer, two operations each with losses of the directory, is for the long tests.
CHECKS += explore_accesses|240 beside|$(O)/tests/explore --operations 2 --origin-operations 2 --drops 0 --losses 0 --name explore/two-operations-each
CHECKS += explore_drop|300 beside|$(O)/tests/explore --operations 2 --origin-operations 2 --losses 0 --no-liveness --name explore/two-operations-and-drop
CHECKS += explore_loss|120 beside|$(O)/tests/explore --operations 1 --origin-operations 1 --drops 0 --name explore/directory-lost
CHECKS += explore_drop_loss|120 beside|$(O)/tests/explore --operations 1 --origin-operations 1 --name explore/drop-while-lost
CHECKS += mutation|240 beside|$(O)/tests/mutation
SOAKS  += explore_two_loss|3600|$(O)/tests/explore --operations 2 --origin-operations 1 --drops 0 --name explore/two-operations-while-lost
SOAKS  += explore_all|7200|$(O)/tests/explore --operations 2 --origin-operations 2 --no-liveness --name explore/two-operations-drop-and-lost
