// SPDX-License-Identifier: Apache-2.0
// A fuzz target: one function that takes any bytes and must come back, and the inputs that its mutations start from. The same
// source is linked with fuzz_driver.cc (deterministic mutations, in make check) and with libFuzzer (in make soak).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// 0; a finding is a crash or a failed DSM_CHECK.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// Valid inputs, made by the code under test itself, so that they follow its formats.
std::vector<std::string> fuzz_seeds();
