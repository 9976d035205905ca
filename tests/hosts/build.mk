# Nodes on several hosts, simulated by namespaces.

include tests/programs/subject.mk

$(eval $(call subject,clock_chain,tests/hosts/clock_chain.c,-I.))

CHECKS += hosts|300 beside|tests/hosts/run.py --build $(O) --set check
SOAKS  += hosts|900|tests/hosts/run.py --build $(O) --set soak
