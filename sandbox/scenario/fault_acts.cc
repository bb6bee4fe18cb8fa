// Acts that do something to servers and the network between them. What a fault can be is read as the commands have it
// read (world/fault.h); whether it makes sense at that time is followed here.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "sandbox/scenario/play_reader_impl.h"
#include "sandbox/world/fault_request.h"
#include "sandbox/world/names.h"

namespace skerry::sandbox {

namespace {

constexpr const char* any = "any";
constexpr const char* all = "all";

std::string key_of(FaultKind kind, const std::string& server) { return to_text(kind) + " " + server; }

}  // namespace

void PlayReader::read_server(Reader& table, Act& act) {
  const bool of_gateway =
      act.verb == Verb::block || act.verb == Verb::unblock || act.verb == Verb::link || act.verb == Verb::partition;
  if (of_gateway && scenario_.direct) {
    return table.problem(verb_text(act.verb), "a direct sandbox has no gateway, and so no such fault");
  }
  switch (act.verb) {
    case Verb::link:
      read_link(table, act);
      break;
    case Verb::partition:
      read_partition(table, act);
      break;
    case Verb::backoff:
      read_backoff(table, act);
      break;
    case Verb::heal:
      read_heal(table, act);
      break;
    default:
      choose_server(table, act);
      if (!act.server.empty()) read_server_fault(table, act);
      break;
  }
  take_hold(act);
}

// Leaves it empty where there is a problem.
void PlayReader::choose_server(Reader& table, Act& act) {
  const std::string key = verb_text(act.verb);
  std::string typed;
  table.get(key, typed, typed_name_bytes);
  std::string server;
  if (typed == any) {
    std::vector<std::string> choice;
    std::copy_if(world_.servers.begin(), world_.servers.end(), std::back_inserter(choice),
                 [&](const std::string& each) { return fits(act.verb, each); });
    if (choice.empty()) return table.problem(key, "there is no server left for that at this time");
    server = choice[decisions_.below(choice.size())];
    scenario_.decisions.push_back("line " + std::to_string(act.line) + ": " + key + " " + server);
  } else {
    auto found = find_server(world_.servers, chosen(typed));
    if (!found) return table.problem(key, found.error().text + " (or \"any\", or what one was chosen as)");
    server = std::move(*found);
  }
  std::string name;
  table.get("as", name, typed_name_bytes);
  if (!name.empty()) chosen_[name] = server;
  if (!fits(act.verb, server)) return table.problem(key, server + condition(server) + " at this time");
  if (act.verb == Verb::start && !faults_.reaches(clients_party, server)) {
    return table.problem(key, server + " is cut from clients at this time: nobody would see it answer");
  }
  act.server = std::move(server);
}

// block, freeze, clock, dns; the others are no faults but acts alone.
void PlayReader::read_server_fault(Reader& table, Act& act) {
  Json fault = {{"kind", verb_text(act.verb)}, {"server", act.server}};
  if (act.verb == Verb::clock) {
    std::string offset;
    if (table.required("offset")) table.get("offset", offset, typed_name_bytes);
    const auto offset_ms = parse_duration_ms(offset);
    if (!offset_ms) return offset.empty() ? void() : table.problem("offset", offset_ms.error().text);
    fault["offset_ms"] = *offset_ms;
  } else if (act.verb == Verb::dns) {
    std::string answer;
    if (!table.required("answer")) return;
    table.get("answer", answer, typed_name_bytes);
    fault["answer"] = answer;
  } else if (act.verb != Verb::block && act.verb != Verb::freeze) {
    return;
  }
  if (auto faults = request(table, act.verb, fault)) act.faults = std::move(*faults);
}

void PlayReader::read_link(Reader& table, Act& act) {
  const auto ends = table.get_list("link");
  std::string mode = to_text(LinkMode::up);
  std::int64_t status = 0;
  std::int64_t latency_ms = 0;
  std::int64_t jitter_ms = 0;
  std::int64_t rate_kbit = 0;
  bool one_way = false;
  table.get("mode", mode, typed_name_bytes);
  table.get("http_status", status, 0, INT32_MAX);
  table.get_time("latency", latency_ms);
  table.get_time("jitter", jitter_ms);
  table.get("rate_kbit", rate_kbit, 0, INT32_MAX);
  table.get("one_way", one_way);
  if (ends.size() != 2) return table.problem("link", "has two ends: [\"alpha\", \"bravo\"]");
  Json fault = {{"kind", "link"},        {"from", chosen(ends[0].text)}, {"to", chosen(ends[1].text)},
                {"mode", mode},          {"latency_ms", latency_ms},     {"jitter_ms", jitter_ms},
                {"rate_kbit", rate_kbit}};
  if (status != 0) fault["http_status"] = status;
  const auto asked = request(table, act.verb, fault);
  if (!asked) return;
  const Fault& one = asked->front();
  if (one.link.whole() && !table.has("mode")) {
    return table.problem("link",
                         "what is to become of it? mode, latency, jitter or rate_kbit (mode = \"up\" ends that)");
  }
  auto faults = link_faults(one.from, one.to, one_way, one.link);
  if (!faults) return table.problem("link", faults.error().text);
  act.faults = std::move(*faults);
}

void PlayReader::read_partition(Reader& table, Act& act) {
  Json groups = Json::array();
  for (const auto& entries : table.get_lists("partition")) {
    Json group = Json::array();
    for (const Entry& entry : entries) group.push_back(chosen(entry.text));
    groups.push_back(std::move(group));
  }
  if (auto faults = request(table, act.verb, {{"kind", "partition"}, {"groups", groups}})) {
    act.faults = std::move(*faults);
  }
}

void PlayReader::read_backoff(Reader& table, Act& act) {
  std::string typed;
  table.get("backoff", typed, typed_name_bytes);
  const auto max_ms = parse_duration_ms(typed);
  if (!max_ms) return table.problem("backoff", max_ms.error().text);
  if (auto faults = request(table, act.verb, {{"kind", "backoff"}, {"max_ms", *max_ms}})) {
    act.faults = std::move(*faults);
  }
}

void PlayReader::read_heal(Reader& table, Act& act) {
  const auto entries = table.get_list("heal");
  const auto in_force = faults_.list();
  for (const Entry& entry : entries) {
    if (entry.text == all && entries.size() == 1) break;
    const auto kind = parse_fault_kind(entry.text);
    if (!kind) {
      table.problem_at(entry.line, "heal", kind.error().text + "; or \"all\"");
      continue;
    }
    if (std::none_of(in_force.begin(), in_force.end(), [&](const Fault& fault) { return fault.kind == *kind; })) {
      table.problem_at(entry.line, "heal", "no " + entry.text + " is in force at this time");
    }
    act.kinds.push_back(*kind);
  }
  if (entries.empty() || in_force.empty()) table.problem("heal", "nothing is wrong at this time");
}

std::optional<std::vector<Fault>> PlayReader::request(Reader& table, Verb verb, const Json& fault) const {
  auto faults = parse_fault_request({{"faults", Json::array({fault})}}, world_.servers);
  if (faults) return std::move(*faults);
  table.problem(verb_text(verb), faults.error().text);
  return std::nullopt;
}

void PlayReader::take_hold(const Act& act) {
  if (act.verb == Verb::kill && !act.server.empty()) killed_.insert(act.server);
  if (act.verb == Verb::start) killed_.erase(act.server);
  if (act.verb == Verb::unblock) faults_.remove(key_of(FaultKind::block, act.server));
  if (act.verb == Verb::thaw) faults_.remove(key_of(FaultKind::freeze, act.server));
  for (const Fault& fault : act.faults) faults_.put(fault);
  if (act.verb != Verb::heal) return;
  for (const Fault& fault : faults_.list()) {
    const bool named = std::find(act.kinds.begin(), act.kinds.end(), fault.kind) != act.kinds.end();
    if (named || act.kinds.empty()) faults_.remove(fault.key());
  }
}

std::string PlayReader::chosen(const std::string& typed) const {
  const auto found = chosen_.find(typed);
  return found != chosen_.end() ? found->second : typed;
}

bool PlayReader::fits(Verb verb, const std::string& server) const {
  const bool killed = killed_.count(server) > 0;
  const bool blocked = faults_.find(key_of(FaultKind::block, server)).has_value();
  const bool frozen = faults_.find(key_of(FaultKind::freeze, server)).has_value();
  switch (verb) {
    case Verb::kill:
    case Verb::block:
    case Verb::freeze:
      return !killed && !blocked && !frozen;
    case Verb::start:
      return killed;
    case Verb::unblock:
      return blocked;
    case Verb::thaw:
      return frozen;
    default:
      return true;
  }
}

std::string PlayReader::condition(const std::string& server) const {
  if (killed_.count(server) > 0) return " is killed";
  if (faults_.find(key_of(FaultKind::block, server))) return " is blocked";
  if (faults_.find(key_of(FaultKind::freeze, server))) return " is frozen";
  return " runs and is reachable";
}

}  // namespace skerry::sandbox
