# Whoever links dsm_ckpt also needs dsm_os dsm_base and $(ckpt_links). zstd is linked statically, so that no agent loads a library for it.
ckpt_links := -Xlinker -Bstatic -lzstd -Xlinker -Bdynamic -luring
$(eval $(call library,dsm_ckpt,$(wildcard libdsm/ckpt/*.cc)))
