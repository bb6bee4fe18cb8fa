#include "client/tui/chat_app.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "client/cli/command.h"
#include "client/cli/sign_in.h"
#include "client/sdk/chat.h"
#include "client/sdk/http_transport.h"
#include "client/store/client_store.h"
#include "client/tui/chat_screen.h"
#include "client/tui/sign_in_form.h"
#include "client/tui/terminal.h"
#include "client/tui/wake_up.h"

namespace skerry::client {
namespace {

constexpr std::chrono::seconds save_pause{2};

// Writes what /sync told into the store, not more often than every other second, and at the end.
class RoomSaver {
 public:
  RoomSaver(ClientStore& store, net::Io& io, WakeUp& wake_up, std::string user_id)
      : store_(store), io_(io), wake_up_(wake_up), user_id_(std::move(user_id)) {}

  void synced(const Chat& chat, const std::string& since, const std::set<std::string>& touched) {
    since_ = since;
    touched_.insert(touched.begin(), touched.end());
    if (timer_) return;
    timer_ = io_.after(save_pause, [this, &chat] {
      wake_up_.post([this, &chat] {
        timer_.reset();
        save(chat);
      });
    });
  }

  // What cannot be written is told anew by the server next time: no reason to stop.
  void save(const Chat& chat) {
    if (since_.empty()) return;
    CachedRooms changed{since_, {}};
    std::vector<std::string> gone;
    for (const std::string& id : touched_) {
      const auto room = chat.rooms().find(id);
      if (room == chat.rooms().end()) {
        gone.push_back(id);
      } else {
        changed.rooms.emplace_back(id, room_snapshot(room->second));
      }
    }
    if (store_.save_rooms(user_id_, changed, gone)) touched_.clear();
  }

 private:
  ClientStore& store_;
  net::Io& io_;
  WakeUp& wake_up_;
  std::string user_id_;
  std::string since_;
  std::set<std::string> touched_;
  net::Scheduler::Handle timer_;
};

// What both screens do: sleep, take keys, draw.
template <class OnKey, class Draw, class Over>
void loop(Terminal& terminal, WakeUp& wake_up, OnKey on_key, Draw draw, Over over) {
  for (;;) {
    wake_up.run_tasks();
    if (wake_up.take_resized()) terminal.measure();
    if (wake_up.ended()) on_key(Key{KeyCode::quit, "", 0, 0});
    while (const auto key = terminal.read_key()) {
      if (key->is_ctrl('l')) {
        terminal.forget_screen();
      } else if (key->is_ctrl('z')) {
        terminal.suspend();
      } else {
        on_key(*key);
      }
    }
    if (over()) return;
    terminal.draw(draw());
    wake_up.wait();
  }
}

// The form; nothing when the person quit. Signing in waits for the server, so it has a thread of its own.
std::optional<StoredSession> first_screen(const Arguments& args, net::Io& io, ClientStore& store,
                                          std::unique_ptr<Terminal>& terminal, WakeUp& wake_up) {
  SignInForm form(args.server);
  std::optional<StoredSession> session;
  std::thread worker;
  const auto submit = [&] {
    if (worker.joinable()) worker.join();
    const bool up = form.mode() == SignInForm::Mode::sign_up;
    worker = std::thread(
        [&, up, given = Credentials{form.server(), to_user_id(form.user()), form.password(), "", args.ca_files}] {
          Outcome<StoredSession> result = sorry("");
          if (up) {
            auto made = sign_up(io, store, given);
            result = made ? Outcome<StoredSession>(made->session) : sorry(made.error());
          } else {
            result = sign_in(io, store, given);
          }
          wake_up.post([&form, &session, result = std::move(result)] {
            form.finish(result ? SafeText() : result.error());
            if (result) session = *result;
          });
        });
  };
  loop(
      *terminal, wake_up,
      [&](const Key& key) {
        if (form.on_key(key)) submit();
      },
      [&] { return form.render(terminal->rows(), terminal->columns()); }, [&] { return form.quit() || session; });
  if (form.waiting()) {
    // The server may take half a minute to answer; nobody waits for that, and nothing is to be saved.
    terminal.reset();
    std::_Exit(0);
  }
  if (worker.joinable()) worker.join();
  return session;
}

// The account that the form gives; without a session when the person quit.
Outcome<Account> sign_in_first(const Arguments& args, net::Io& io, ClientStore& store,
                               std::unique_ptr<Terminal>& terminal, WakeUp& wake_up) {
  const auto stored = first_screen(args, io, store, terminal, wake_up);
  if (!stored) return Account{};
  auto transport = HttpTransport::make(io, stored->homeserver, stored->ca_files);
  if (!transport) return sorry(SafeText(stored->homeserver) + ": " + transport.error().text);
  Account out{*stored, std::move(*transport), nullptr};
  out.session = std::make_unique<Session>(*out.transport, stored->user_id, stored->access_token);
  return out;
}

void chat_loop(const Arguments& args, net::Io& io, ClientStore& store, Terminal& terminal, WakeUp& wake_up,
               const Account& account) {
  const StoredSession& stored = account.stored;
  RoomSaver saver(store, io, wake_up, stored.user_id);
  Chat* chat_at = nullptr;
  ChatScreen* screen_at = nullptr;
  ChatObserver observer;
  observer.notice = [&](const SafeText& text) { screen_at->show_notice(text); };
  observer.joined = [&](const std::string& room_id) { screen_at->on_joined(room_id); };
  observer.synced = [&](const std::string& since, const std::set<std::string>& touched) {
    saver.synced(*chat_at, since, touched);
  };
  Chat chat(
      *account.session, io, net::system_clock(), net::system_random(),
      [&wake_up](std::function<void()> task) { wake_up.post(std::move(task)); }, std::move(observer));
  ChatScreen screen(chat, net::system_clock(), stored.homeserver, args.room);
  chat_at = &chat;
  screen_at = &screen;
  auto cached = store.cached_rooms(stored.user_id);
  if (!cached) cached = CachedRooms{};
  for (const auto& [room_id, snapshot] : cached->rooms) chat.restore(room_id, snapshot);
  chat.start(cached->since);
  loop(
      terminal, wake_up, [&](const Key& key) { screen.on_key(key, terminal.rows(), terminal.columns()); },
      [&] {
        screen.refresh(terminal.rows(), terminal.columns());
        return render(screen.view(), terminal.rows(), terminal.columns());
      },
      [&] { return screen.quit(); });
  saver.save(chat);
}

}  // namespace

int run_chat(const Arguments& args, net::Io& io, std::ostream& out, std::ostream& err) {
  const auto complain = [&err](const SafeText& text, int status) {
    err << "skerry-client: " << text.str() << std::endl;
    return status;
  };
  auto store = ClientStore::open(args.state_dir);
  if (!store) return complain(store.error().text, 1);
  auto sessions = store->sessions();
  if (!sessions) return complain(sessions.error().text, 1);
  Account account;
  {
    WakeUp wake_up;
    auto terminal = Terminal::open();
    if (!terminal) return complain(terminal.error().text, 2);
    auto ready = sessions->empty() && args.account.empty() ? sign_in_first(args, io, *store, *terminal, wake_up)
                                                           : Environment{args, io, *store, out}.account();
    if (!ready) {
      terminal->reset();
      return complain(ready.error(), 1);
    }
    account = std::move(*ready);
    if (account.session) chat_loop(args, io, *store, **terminal, wake_up, account);
    account.session.reset();
    account.transport.reset();  // what is still asked ends here, while there is a queue for it
  }
  if (!args.status_note.empty()) out << args.status_note << std::endl;
  return 0;
}

}  // namespace skerry::client
