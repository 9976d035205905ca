$(eval $(call test,ckpt_test,$(wildcard tests/unit/ckpt/*_test.cc) tests/harness/ckpt_sample.cc,dsm_ckpt dsm_os dsm_base,$(ckpt_links)))
