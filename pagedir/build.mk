$(eval $(call library,pagedir,$(wildcard pagedir/*.cc)))
