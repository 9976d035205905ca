$(eval $(call library,dsm_fault,$(wildcard libdsm/fault/*.cc)))
