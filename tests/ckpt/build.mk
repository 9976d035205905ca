# Damaged checkpoints, and dsm-ckpt on them.
$(eval $(call tool,damage_fuzz,$(wildcard tests/ckpt/*.cc) tests/harness/ckpt_sample.cc,dsm_ckpt dsm_os dsm_base,$(ckpt_links)))
CHECKS += ckpt_damage|120|$(O)/tests/damage_fuzz --cases 600
SOAKS  += ckpt_damage|1800|$(O)/tests/damage_fuzz --cases 30000
CHECKS += ckpt_tool|120|python3 tests/ckpt/tool_cases.py $(O)
$(eval $(call tool,under_checkpoints,tests/ckpt/under_checkpoints.c,,$(NO_SAN)))
CFLAGS_tests_ckpt := $(NO_SAN)
CHECKS += restart_cases|400|python3 tests/ckpt/restart_cases.py $(O)
CHECKS += recovery|400|python3 tests/ckpt/recovery_cases.py $(O)
SOAKS  += recovery|5400|python3 tests/ckpt/recovery_cases.py $(O) --kills 50
