# The runtime's pure parts, as an ordinary program.
$(eval $(call test,placement_test,tests/unit/runtime/placement_policies_test.cc libdsm/runtime/placement_policies.cc))
