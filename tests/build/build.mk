# SPDX-License-Identifier: Apache-2.0
# Tests of the build itself: exact rebuilds, the house rules, the runner, the installation.
CHECKS += build_rebuild|120|python3 tests/build/rebuild_check.py
CHECKS += build_deps|120|python3 tests/build/deps_check.py
CHECKS += build_lint|120|python3 tests/build/lint_check.py
CHECKS += build_runner|120|python3 tests/build/runner_check.py
CHECKS += build_install|300|python3 tests/build/install_check.py O=$(O) SAN=$(SAN) OPT='$(OPT)' CC='$(CC)' CXX='$(CXX)'
