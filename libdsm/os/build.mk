$(eval $(call library,dsm_os,$(wildcard libdsm/os/*.cc)))
