$(eval $(call test,os_test,$(wildcard tests/unit/os/*_test.cc),dsm_os dsm_base,-luring))
