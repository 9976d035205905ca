$(eval $(call test,stats_test,$(wildcard tests/unit/stats/*_test.cc),dsm_stats dsm_base))
