#include "client/tui/slash_command.h"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace skerry::client {
namespace {

// How many letters are to be changed, added or left out (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<SlashCommand> parse_slash_command(const std::string& text) {
  if (!text.starts_with('/') || text.starts_with("//")) return std::nullopt;
  SlashCommand out;
  const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
  for (const char c : text.substr(1, end - 1))
    out.name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::size_t rest = text.find_first_not_of(" \n", end);
  if (rest != std::string::npos) out.rest = text.substr(rest, text.find_last_not_of(" \n") + 1 - rest);
  std::istringstream words(out.rest);
  for (std::string word; words >> word;) out.words.push_back(word);
  return out;
}

std::string message_of(const std::string& text) { return text.starts_with("//") ? text.substr(1) : text; }

const std::vector<SlashHelp>& slash_commands() {
  static const std::vector<SlashHelp> table = {
      {"help", "/help", "this page"},
      {"join", "/join #room:server", "join; alone: accept an invitation"},
      {"create", "/create NAME [#alias --public]", "make a room"},
      {"invite", "/invite @user:server", "invite someone here"},
      {"leave", "/leave", "leave, or decline an invitation"},
      {"members", "/members", "who is here"},
      {"room", "/room NAME", "go to a room by part of its name"},
      {"topic", "/topic TEXT", "say what this room is about"},
      {"nick", "/nick NAME", "change how you are called"},
      {"me", "/me TEXT", "say it as something you do"},
      {"retry", "/retry", "send again what failed"},
      {"quit", "/quit", "end; you stay signed in"},
  };
  return table;
}

std::string nearest_command(const std::string& name) {
  std::string best;
  std::size_t best_distance = 3;
  for (const SlashHelp& command : slash_commands()) {
    const std::size_t far = distance(name, command.name);
    if (far < best_distance) {
      best = command.name;
      best_distance = far;
    }
  }
  return best;
}

}  // namespace skerry::client
