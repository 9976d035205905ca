# Whole programs, natively and distributed; the native run is the oracle. See run.py.

include tests/programs/subject.mk

kernels := tests/programs/kernels
kernels_c := absent_io busy_threads cancel_kill cas_list create_join epoll_echo exec_self exit_status fork_instant join_memory malloc_pass \
             plain_threads remote_mmap remote_segv signal_storm spawn_threads special_mutexes spin_barrier stencil_barrier
kernels_cc := async_exceptions cpu_counts dlopen_host thread_locals

$(foreach k,$(kernels_c),$(eval $(call subject,$(k),$(kernels)/$(k).c)))
$(foreach k,$(kernels_cc),$(eval $(call subject,$(k),$(kernels)/$(k).cc)))
$(foreach k,omp_cg omp_tasks,$(eval $(call subject,$(k),$(kernels)/openmp/$(k).c,-fopenmp)))

$(foreach k,pthread futex vm sigq mmap cache,$(eval $(call subject,stress_$(k),$(kernels)/stress/stress_$(k).c)))
$(eval $(call subject,crypto_threads,$(kernels)/crypto_threads.c,,-lcrypto))

$(eval $(call subject,plain_static,$(kernels)/plain_threads.c,-static))
$(eval $(call subject,plain_static_pie,$(kernels)/plain_threads.c,-static-pie -fPIE))
$(eval $(call subject,plain_no_pie,$(kernels)/plain_threads.c,-fno-pie -no-pie))
$(eval $(call subject,dlopen_plugin.so,$(kernels)/dlopen_plugin.cc,-shared -fPIC))

programs_run := tests/programs/run.py --build $(O)
CHECKS += job_control|180|python3 tests/programs/job_control.py $(O)
CHECKS += child_processes|600|python3 tests/programs/child_processes.py $(O)
CHECKS += launch_forms|120|python3 tests/programs/launch_forms.py $(O)
CHECKS += programs|1200|$(programs_run) --set check
SOAKS  += programs|28800|$(programs_run) --set soak
