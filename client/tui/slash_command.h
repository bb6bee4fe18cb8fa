// What one types after a slash. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::client {

struct SlashCommand {
  std::string name;                // without the slash, lower case
  std::vector<std::string> words;  // after the name
  std::string rest;                // the same as one text
};

// Nothing when the text is a message: it does not begin with '/', or with "//" (which stands for one slash).
std::optional<SlashCommand> parse_slash_command(const std::string& text);

// The text to send: "//shrug" says "/shrug".
std::string message_of(const std::string& text);

struct SlashHelp {
  std::string_view name;
  std::string_view usage;
  std::string_view text;
};
const std::vector<SlashHelp>& slash_commands();

// The known command nearest to a mistyped one; empty when none is near.
std::string nearest_command(const std::string& name);

}  // namespace skerry::client
