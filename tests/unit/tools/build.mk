launch_parts := $(addprefix tools/dsm-launch/,child_process.cc host_list.cc job_hosts.cc launch_options.cc node_facts.cc slurm_job.cc ssh_agent_start.cc this_machine.cc)
$(eval $(call test,tools_test,$(wildcard tests/unit/tools/*_test.cc) $(launch_parts),dsm_tools dsm_os dsm_base,-lfmt -lelf))
