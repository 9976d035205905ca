$(eval $(call test,memory_test,$(wildcard tests/unit/memory/*_test.cc),dsm_memory dsm_os dsm_base,-luring))
