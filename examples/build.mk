# SPDX-License-Identifier: Apache-2.0
# The examples stand for a user's programs: they use nothing of dsm and are never sanitised.
CFLAGS_examples   := $(NO_SAN)
CXXFLAGS_examples := $(NO_SAN)

$(eval $(call example,stencil,examples/stencil.c))
$(eval $(call example,false_sharing,examples/false_sharing.c))
$(eval $(call example,histogram,examples/histogram.c))
$(eval $(call example,xy_counter,examples/xy_counter.c))
$(eval $(call example,word_count,examples/word_count.cc))
$(eval $(call example,page_rank,examples/page_rank.cc))

# Each example natively and over two nodes: the same bytes.
CHECKS += examples|300|python3 examples/demo.py --build $(O) --check
