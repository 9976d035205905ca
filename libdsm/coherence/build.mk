$(eval $(call library,dsm_coherence,$(wildcard libdsm/coherence/*.cc)))
