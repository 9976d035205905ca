# Servers under load from outside. See run.py.

servers_run := python3 tests/servers/run.py --build $(O)
CHECKS += servers|180|$(servers_run) --set check
SOAKS  += servers|3000|$(servers_run) --set soak
