$(eval $(call library,dsm_base,$(wildcard libdsm/base/*.cc)))
