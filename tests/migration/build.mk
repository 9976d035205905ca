# Threads that move while they run, and nodes that are drained. See run.py; what a thread keeps is in tests/conformance.

include tests/programs/subject.mk
$(eval $(call subject,migration/sleepers,tests/migration/sleepers.c))

migration_storm := python3 tests/programs/run.py --build $(O) --launch-args=--chaos-migrate=200 --least-moves 100 --max-deadline 120

CHECKS += migration|240|python3 tests/migration/run.py --build $(O)
CHECKS += migration_storm|240|$(migration_storm) -n 2 --only "^(cas_list|create_join|thread_locals|special_mutexes)" && $(migration_storm) -n 4 --only "^async_exceptions"
SOAKS  += migration|1800|python3 tests/migration/run.py --build $(O) --repeat 10
SOAKS  += migration_storm|28800|$(migration_storm) --set soak --max-deadline 900
