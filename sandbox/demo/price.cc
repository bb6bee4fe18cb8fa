// Step 9: how many blocks until nobody can talk, each one tried; the same people on one server; what federation does
// not help against.
#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "sandbox/demo/stage.h"
#include "sandbox/world/files.h"
#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

constexpr std::chrono::milliseconds hearing_window{1'000};  // who has not heard by then does not hear
constexpr const char* words_to_find = "One room, three servers.";

using People = std::vector<const Person*>;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " and ") + name;
  return text;
}

// All choices of `count` of the names, in order.
std::vector<std::vector<std::string>> choices(const std::vector<std::string>& names, std::size_t count) {
  std::vector<bool> chosen(names.size(), false);
  std::fill_n(chosen.begin(), count, true);
  std::vector<std::vector<std::string>> out;
  do {
    std::vector<std::string> choice;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (chosen[i]) choice.push_back(names[i]);
    }
    out.push_back(std::move(choice));
  } while (std::prev_permutation(chosen.begin(), chosen.end()));
  return out;
}

Result<void> set_blocked(OwnSandbox& servers, const std::vector<std::string>& names, bool blocked) {
  for (const std::string& name : names) {
    if (auto done = servers.set_blocked(name, blocked); !done) return done;
  }
  return {};
}

// Blocks them, lets everybody try, unblocks them.
Result<Pairs> try_block(OwnSandbox& servers, const People& people, const std::string& room,
                        const std::vector<std::string>& names) {
  if (auto able = wait_until_all_talk(people, room); !able) return tl::make_unexpected(able.error());
  if (auto done = set_blocked(servers, names, true); !done) return tl::make_unexpected(done.error());
  const Pairs pairs = count_pairs(people, room, "Who hears me now?", hearing_window);
  if (auto done = set_blocked(servers, names, false); !done) return tl::make_unexpected(done.error());
  if (interrupted()) return fail(ErrorCode::cancelled, "interrupted");
  return pairs;
}

// The fewest servers whose block leaves no pair, by trying every choice of one, of two ... REQUIRES: the people are
// spread evenly.
Result<std::size_t> fewest_blocks(Stage& stage, OwnSandbox& servers, const People& people, const std::string& room) {
  const std::vector<std::string> names = servers.status().names();
  for (std::size_t count = 1; count <= names.size(); ++count) {
    bool silenced = false;
    for (const auto& choice : choices(names, count)) {
      const auto pairs = try_block(servers, people, room, choice);
      if (!pairs) return tl::make_unexpected(pairs.error());
      const std::size_t on_each = people.size() / names.size();
      const Pairs formula = pairs_after_takedown(people.size(), count * on_each);
      stage.story.say("    " + joined(choice) + " blocked: " + std::to_string(pairs->left) + " of " +
                      std::to_string(pairs->all) + " pairs left");
      if (*pairs != formula) {
        return fail(ErrorCode::internal,
                    "the formula says " + std::to_string(formula.left) + " of " + std::to_string(formula.all));
      }
      silenced = silenced || pairs->left == 0;
    }
    if (silenced) return count;
  }
  return fail(ErrorCode::internal, "somebody can talk though everything is blocked");
}

// The same people with one server for all.
Result<std::size_t> central_server(Stage& stage) {
  auto servers = OwnSandbox::start(1);
  if (!servers) return tl::make_unexpected(servers.error());
  std::vector<Person> people;
  for (const char* name : {"alice", "bob", "carol"}) {
    auto person = Person::register_at((*servers)->web(), (*servers)->url(alpha), name);
    if (!person) return tl::make_unexpected(person.error());
    people.push_back(std::move(*person));
  }
  const auto room = people[0].create_room({{"preset", "public_chat"}, {"name", "Lobby"}});
  if (!room) return tl::make_unexpected(room.error());
  for (std::size_t i = 1; i < people.size(); ++i) {
    if (auto entered = people[i].join(*room); !entered) return tl::make_unexpected(entered.error());
  }
  return fewest_blocks(stage, **servers, {&people[0], &people[1], &people[2]}, *room);
}

// On how many servers the words stand in some file, for whoever takes the disk.
std::size_t servers_with_words_in_files(const OwnSandbox& servers) {
  std::size_t found = 0;
  for (const std::string& name : servers.status().names()) {
    std::error_code error;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(servers.folder().server(name) + "/data", error)) {
      const auto text = entry.is_regular_file(error) ? read_file(entry.path().string()) : Result<std::string>("");
      if (!text || text->find(words_to_find) == std::string::npos) continue;
      ++found;
      break;
    }
  }
  return found;
}

}  // namespace

Result<void> count_the_price(Stage& stage) {
  stage.story.say("Here, every block of one server and then of two was tried; before each, all 6 pairs could talk:");
  const auto here = fewest_blocks(stage, *stage.servers, {&*stage.alice, &*stage.bob, &*stage.carol}, stage.room);
  if (!here) return tl::make_unexpected(here.error());
  stage.story.say("The same three on one central server, tried as well:");
  const auto central = central_server(stage);
  if (!central) return tl::make_unexpected(central.error());
  stage.story.say("So nobody can talk any more after " + std::to_string(*here) + " blocks here, after " +
                  std::to_string(*central) + " there.");
  if (*here <= *central) return fail(ErrorCode::internal, "three servers are no harder to silence than one");

  const std::size_t readable = servers_with_words_in_files(*stage.servers);
  stage.story.say("What federation does not help against:");
  stage.story.say("    Reading: carol's words stand in plain text in the files of " + std::to_string(readable) +
                  " of " + std::to_string(stage.servers->status().servers.size()) +
                  " servers (searched); each knows who spoke with whom and when. More servers, more places to seize.");
  stage.story.say(
      "    Concentration: what counts is how people are spread. Were all three on alpha.test, one block would "
      "do, as above.");
  stage.story.say(
      "    The person: whose server is blocked is cut off until they begin again, under another name, "
      "without their powers and direct chats; an invite-only room needs a member who is left to invite them.");
  stage.story.say(
      "    A shutdown of the whole network; and a censor who finds all servers of a room in its member list.");
  stage.story.fact("blocks_here", *here);
  stage.story.fact("blocks_central", *central);
  stage.story.fact("servers_with_plain_text", readable);
  return {};
}

}  // namespace skerry::sandbox
