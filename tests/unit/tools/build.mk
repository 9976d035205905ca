$(eval $(call test,tools_test,$(wildcard tests/unit/tools/*_test.cc),dsm_tools dsm_base,-lfmt -lelf))
