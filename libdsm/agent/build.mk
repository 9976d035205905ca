# Whoever links dsm_agent also needs dsm_stats dsm_transport dsm_fault dsm_memory dsm_coherence pagedir dsm_wire dsm_os
# dsm_base and -luring -lssl -lcrypto; for checkpoints dsm_ckpt and $(ckpt_links), too.
$(eval $(call library,dsm_agent,$(wildcard libdsm/agent/*.cc)))
