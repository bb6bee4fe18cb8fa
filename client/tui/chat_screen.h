// The chat screen's behaviour: keys in, actions on the chat, a view to draw. Knows no terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "client/sdk/chat.h"
#include "client/tui/composer.h"
#include "client/tui/key.h"
#include "client/tui/screen.h"
#include "client/tui/slash_command.h"

namespace skerry::client {

// Lives on the thread that owns the chat.
class ChatScreen {
 public:
  // REQUIRES: chat and clock outlive it. `open_room` is an id, an alias or a name; empty: the first of the list.
  ChatScreen(Chat& chat, net::Clock& clock, SafeText server, std::string open_room);

  void on_key(const Key& key, int rows, int columns);
  // After anything in the chat changed, and before it is drawn.
  void refresh(int rows, int columns);
  void show_notice(const SafeText& text) { notice_ = text; }
  void on_joined(const std::string& room_id);

  View view() const;
  bool quit() const { return quit_; }

 private:
  struct RoomView {
    Composer composer;
    Scroll scroll;
    std::string new_from;
  };
  using Handler = void (ChatScreen::*)(const SlashCommand&);

  bool edit(const Key& key);
  bool navigate(const Key& key);
  bool scroll_key(const Key& key);
  void control(char letter);
  void click(const Key& key);
  void enter();
  void interrupt();
  void ask_to_quit();
  void forget_quitting();
  void complete();
  void scroll(int lines);
  void step_room(int direction);
  void next_unread_room();
  void choose_room();
  void open(const std::string& room_id);
  void announce_typing();

  void run(const SlashCommand& command);
  void help(const SlashCommand&);
  void join(const SlashCommand&);
  void create(const SlashCommand&);
  void invite(const SlashCommand&);
  void leave(const SlashCommand&);
  void members(const SlashCommand&);
  void go_to_room(const SlashCommand&);
  void topic(const SlashCommand&);
  void nick(const SlashCommand&);
  void me(const SlashCommand&);
  void retry(const SlashCommand&);
  void quit_command(const SlashCommand&);
  // Reports when no room is open that one could write to.
  bool require_joined();

  std::vector<const Room*> sorted_rooms() const;
  const Room* current_room() const;
  RoomView& current_view() { return views_[current_]; }
  TimelineLayout layout_of(const Room& room, const Regions& regions) const;

  Chat& chat_;
  net::Clock& clock_;
  SafeText server_;
  std::string wanted_room_;  // to be opened once it is there
  std::string current_;
  std::map<std::string, RoomView> views_;  // by room id; "" is where no room is open
  SafeText notice_;
  std::optional<Panel> panel_;
  int rows_ = 24;
  int columns_ = 80;
  bool quit_ = false;
  bool quit_asked_ = false;
  int unsent_asked_ = 0;  // how many messages were unsent when quitting was put off
  std::string typing_room_;
  std::int64_t typing_until_ms_ = 0;
};

}  // namespace skerry::client
