$(eval $(call program,dsmd,tools/dsmd/main.cc,dsm_agent dsm_stats dsm_transport dsm_fault dsm_memory dsm_coherence pagedir dsm_ckpt dsm_wire dsm_os dsm_base,$(ckpt_links) -lssl -lcrypto))
