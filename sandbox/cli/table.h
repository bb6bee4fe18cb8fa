// Numbers and tables for people.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "sandbox/world/status.h"

namespace skerry::sandbox {

std::string seconds_text(std::chrono::duration<double> time);       // "0.42 s"
std::string milliseconds_text(std::chrono::duration<double> time);  // "42 ms"
std::string megabytes_text(std::uint64_t bytes);                    // "14.2 MB", of 1,000,000 bytes
// A line for each server under a line of headings.
std::string server_table(const SandboxStatus& status);
// The same for faults.
std::string fault_table(const std::vector<Fault>& faults);

}  // namespace skerry::sandbox
