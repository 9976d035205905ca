# Real agents around a fake application and fake vessels: the data path without the runtime.
$(eval $(call tool,agent_pair,$(wildcard tests/integration/agent_pair*.cc),dsm_os dsm_base))
CHECKS += agent_pair|180|$(O)/tests/agent_pair --dsmd $(O)/bin/dsmd
