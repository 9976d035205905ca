$(eval $(call program,dsm-ckpt,$(wildcard tools/dsm-ckpt/*.cc),dsm_ckpt dsm_tools dsm_os dsm_base,$(ckpt_links) -lfmt -lelf))
