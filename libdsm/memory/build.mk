$(eval $(call library,dsm_memory,$(wildcard libdsm/memory/*.cc)))
