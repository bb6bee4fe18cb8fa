// Reading and writing whole files.
#pragma once

#include <string>

#include "core/result.h"
#include "sandbox/world/layout.h"

namespace skerry::sandbox {

// Errors: storage, with the file's name.
Result<std::string> read_file(const std::string& path);
// Never seen half written: a file beside it takes its place. Mode 0600. Errors: storage; the old file is then
// unchanged.
Result<void> write_file(const std::string& path, const std::string& text);
// The folder and those above it, mode 0700 where they are new. Errors: storage.
Result<void> make_folder(const std::string& path);

// Removes what a sandbox keeps in its folder, and the folder where nothing else is in it. REQUIRES: it is down.
Result<void> remove_contents(const Folder& folder);

// The last `lines` lines of a file that are not empty, control characters replaced; "" when there is none.
std::string last_lines(const std::string& path, std::size_t lines);
// Text for a terminal: control characters but the newline and the tab replaced.
std::string without_controls(std::string text);

// The folder of this program's own file: the other programs are beside it.
std::string program_folder();

}  // namespace skerry::sandbox
