$(eval $(call library,dsm_wire,$(wildcard libdsm/wire/*.cc)))
