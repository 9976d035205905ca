protocol_libs := dsm_coherence pagedir dsm_wire dsm_base
$(eval $(call test,unit_wire,tests/unit/protocol/wire_test.cc,$(protocol_libs)))
$(eval $(call test,unit_protocol,$(addprefix tests/unit/protocol/,small_cluster.cc page_moves_test.cc extents_test.cc ranges_test.cc lease_test.cc prefetch_test.cc shard_loss_test.cc hostile_test.cc directory_test.cc cut_test.cc),$(protocol_libs)))
$(eval $(call tool,protocol_hot_path,$(addprefix tests/unit/protocol/,hot_path_bench.cc small_cluster.cc),$(protocol_libs)))
BENCHES += protocol_hot_path|60|$(O)/tests/protocol_hot_path
