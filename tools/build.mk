$(eval $(call library,dsm_tools,$(wildcard tools/common/*.cc)))
$(eval $(call program,dsm-launch,$(wildcard tools/dsm-launch/*.cc),dsm_tools dsm_os dsm_base,-lfmt -lelf))
$(eval $(call program,dsm-stat,$(wildcard tools/dsm-stat/*.cc),dsm_tools dsm_base,-lfmt -lelf))
