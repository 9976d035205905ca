$(eval $(call test,fault_test,$(wildcard tests/unit/fault/*_test.cc),dsm_fault dsm_memory dsm_os dsm_base,-luring))
