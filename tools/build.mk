$(eval $(call library,dsm_tools,$(wildcard tools/common/*.cc)))
$(eval $(call program,dsm-launch,$(wildcard tools/dsm-launch/*.cc),dsm_tools dsm_ckpt dsm_os dsm_base,$(OBJ)/libdsm/runtime/process_image_check.o $(ckpt_links) -lfmt -lelf))
$(O)/bin/dsm-launch: $(OBJ)/libdsm/runtime/process_image_check.o
$(eval $(call program,dsm-stat,$(wildcard tools/dsm-stat/*.cc),dsm_tools dsm_base,-lfmt -lelf))
