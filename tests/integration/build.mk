# Real agents around a fake application and fake vessels: the data path without the runtime.
agent_pair_parts := $(addprefix tests/integration/,agent_pair_job.cc agent_pair_orders.cc agent_pair_runtime.cc slow_link.cc)
$(eval $(call tool,agent_pair,tests/integration/agent_pair.cc $(agent_pair_parts),dsm_os dsm_base))
CHECKS += agent_pair|180|$(O)/tests/agent_pair --dsmd $(O)/bin/dsmd
CHECKS += agent_pair_encrypted|180|$(O)/tests/agent_pair --dsmd $(O)/bin/dsmd --encrypt on

# Real agents among nodes that know the secret and mean harm.
$(eval $(call tool,hostile_peer,tests/integration/hostile_peer.cc tests/integration/hostile_attacks.cc $(agent_pair_parts),\
                  dsm_transport pagedir dsm_wire dsm_os dsm_base,-luring -lssl -lcrypto))
CHECKS += hostile_peer|120|$(O)/tests/hostile_peer --dsmd $(O)/bin/dsmd
CHECKS += hostile_peer_encrypted|120|$(O)/tests/hostile_peer --dsmd $(O)/bin/dsmd --encrypt on
