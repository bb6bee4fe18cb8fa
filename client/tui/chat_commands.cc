// The slash commands of the chat screen.
#include <array>
#include <map>
#include <utility>

#include "client/cli/command.h"
#include "client/text/graphemes.h"
#include "client/tui/chat_screen.h"

namespace skerry::client {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 11> key_help = {{
    {"Tab, Shift-Tab", "next and previous room"},
    {"  or Alt-Down, Alt-Up", "  or Ctrl-N, Ctrl-P, or a click"},
    {"Alt-A", "next room with something unread"},
    {"PgUp, PgDn, mouse wheel", "earlier and later messages"},
    {"Esc", "back to the newest message"},
    {"Alt-Enter", "a new line in the message"},
    {"Tab while writing", "complete a name or command"},
    {"Up, Down", "what you wrote before"},
    {"Ctrl-R", "send again what failed"},
    {"Shift with the mouse", "select text, as terminals do"},
    {"Ctrl-L, Ctrl-Q", "draw anew; quit"},
}};

Line help_line(std::string_view what, std::string_view text) {
  SafeText left(what);
  for (int width = text_width(left.str()); width < 30; ++width) left += " ";
  return {{{left, Ink::normal}, {SafeText(text), Ink::dim}}};
}

}  // namespace

void ChatScreen::run(const SlashCommand& command) {
  static const std::map<std::string, Handler> handlers = {
      {"help", &ChatScreen::help},       {"join", &ChatScreen::join},   {"create", &ChatScreen::create},
      {"invite", &ChatScreen::invite},   {"leave", &ChatScreen::leave}, {"members", &ChatScreen::members},
      {"room", &ChatScreen::go_to_room}, {"topic", &ChatScreen::topic}, {"nick", &ChatScreen::nick},
      {"me", &ChatScreen::me},           {"retry", &ChatScreen::retry}, {"quit", &ChatScreen::quit_command}};
  const auto found = handlers.find(command.name);
  if (found != handlers.end()) return (this->*found->second)(command);
  const std::string near = nearest_command(command.name);
  notice_ = SafeText("There is no /") + command.name + ". " +
            (near.empty() ? "/help lists what there is" : "Did you mean /" + near + "?") +
            (near.empty() ? "; to write a text that begins with a slash, begin it with two." : "");
}

void ChatScreen::help(const SlashCommand&) {
  Panel panel;
  panel.title = "Help";
  panel.lines.push_back({});
  for (const SlashHelp& command : slash_commands()) panel.lines.push_back(help_line(command.usage, command.text));
  panel.lines.push_back({});
  for (const auto& [keys, text] : key_help) panel.lines.push_back(help_line(keys, text));
  panel_ = std::move(panel);
}

void ChatScreen::join(const SlashCommand& command) {
  if (!command.words.empty()) {
    notice_ = SafeText("Joining ") + command.words[0] + "…";
    return chat_.join(command.words[0], {command.words.begin() + 1, command.words.end()});
  }
  const Room* room = current_room();
  if (!room || !room->invited()) {
    notice_ = "Join what? /join #room:server";
    return;
  }
  notice_ = "Joining…";
  chat_.join(room->id(), {});
}

void ChatScreen::create(const SlashCommand& command) {
  api::CreateRoom room;
  for (const std::string& word : command.words) {
    if (word == "--public") {
      room.is_public = true;
    } else if (word.starts_with('#') && room.alias_localpart.empty()) {
      room.alias_localpart = word.substr(1, word.find(':') - 1);
    } else {
      room.name += (room.name.empty() ? "" : " ") + word;
    }
  }
  if (room.name.empty() && room.alias_localpart.empty()) {
    notice_ = "Create what? /create NAME, or /create --public NAME #alias";
    return;
  }
  chat_.create(room);
}

void ChatScreen::invite(const SlashCommand& command) {
  if (!require_joined()) return;
  if (command.words.empty()) {
    notice_ = "Invite whom? /invite @user:server";
    return;
  }
  for (const std::string& user : command.words) chat_.invite(current_, to_user_id(user));
}

void ChatScreen::leave(const SlashCommand&) {
  if (!current_room()) {
    notice_ = "No room is open.";
    return;
  }
  chat_.leave(current_);
}

void ChatScreen::members(const SlashCommand&) {
  if (!require_joined()) return;
  const std::string room_id = current_;
  chat_.load_members(room_id, [this, room_id] {
    const Room* room = chat_.find(room_id);
    if (!room || room_id != current_) return;
    Panel panel;
    const std::vector<std::string> users = room->known_members();
    panel.title = std::to_string(users.size()) + (users.size() == 1 ? " member" : " members");
    panel.lines.push_back({});
    for (const std::string& user : users) {
      SafeText name = fit(room->member_name(user), 24);
      for (int width = text_width(name.str()); width < 26; ++width) name += " ";
      const SafeText invited = room->membership_of(user) == "invite" ? "  invited" : "";
      panel.lines.push_back(
          {{{name, name_ink(user, chat_.user_id())}, {SafeText(user), Ink::dim}, {invited, Ink::fresh}}});
    }
    panel_ = std::move(panel);
  });
}

void ChatScreen::go_to_room(const SlashCommand& command) {
  for (const Room* room : sorted_rooms()) {
    if (!command.rest.empty() && room->name().str().find(command.rest) != std::string::npos) return open(room->id());
  }
  notice_ = SafeText("You have no room with '") + command.rest + "' in its name.";
}

void ChatScreen::topic(const SlashCommand& command) {
  if (require_joined()) chat_.set_topic(current_, command.rest);
}

void ChatScreen::nick(const SlashCommand& command) {
  if (command.rest.empty()) {
    notice_ = "Which name? /nick NAME";
    return;
  }
  chat_.set_own_name(command.rest);
}

void ChatScreen::me(const SlashCommand& command) {
  if (!require_joined()) return;
  if (command.rest.empty()) {
    notice_ = "Do what? /me TEXT";
    return;
  }
  chat_.send_message(current_, "m.emote", command.rest);
  current_view().scroll = {};
}

void ChatScreen::retry(const SlashCommand&) { chat_.retry_failed(current_); }

void ChatScreen::quit_command(const SlashCommand&) { ask_to_quit(); }

}  // namespace skerry::client
