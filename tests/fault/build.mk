# Faults: killed and stopped processes, Ctrl-C, programs that cannot run.

include tests/programs/subject.mk

$(eval $(call subject,interruptible,tests/fault/interruptible.c,))

CHECKS += fault|400|tests/fault/run.py --build $(O) --set check
SOAKS  += fault|1200|tests/fault/run.py --build $(O) --set soak

$(eval $(call subject,core_writer,tests/fault/core_writer.c,))
CHECKS += core_dumps|240|python3 tests/fault/core_dumps.py $(O)
