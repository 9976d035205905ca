$(eval $(call library,dsm_stats,$(wildcard libdsm/stats/*.cc)))
