#include "tests/simulator/network.h"

#include <nlohmann/json.hpp>

#include "tests/simulator/false_answers.h"
#include "tests/simulator/node.h"

namespace skerry::simulator {

namespace {

constexpr std::int64_t patience_ms = 30'000;

Error no_answer() { return Error{ErrorCode::unreachable, "no answer"}; }

class Post : public federation::RequestSender {
 public:
  Post(Network& network, ServerName us, std::shared_ptr<const bool> alive)
      : network_(network), us_(std::move(us)), alive_(std::move(alive)) {}
  void send(federation::FederationRequest request, Done done) override {
    network_.send(us_, std::move(request), [alive = alive_, done = std::move(done)](Result<Json> answer, auto failure) {
      if (*alive) done(std::move(answer), std::move(failure));
    });
  }

 private:
  Network& network_;
  const ServerName us_;
  const std::shared_ptr<const bool> alive_;
};

}  // namespace

void Tally::add(const Tally& other) {
  events += other.events;
  merges += other.merges;
  rejected += other.rejected;
  soft_failed += other.soft_failed;
  kills += other.kills;
  power_losses += other.power_losses;
  lies += other.lies;
  cuts += other.cuts;
  lost += other.lost;
  repeated += other.repeated;
  transactions += other.transactions;
  questions += other.questions;
  false_answers += other.false_answers;
  compared += other.compared;
  forgetful += other.forgetful;
  misled += other.misled;
}

std::string Tally::summary() const {
  const auto counted = [](std::uint64_t count, const char* what) { return std::to_string(count) + " " + what + ", "; };
  return counted(events, "events") + counted(merges, "states resolved") + counted(rejected, "times rejected") +
         counted(soft_failed, "times soft-failed") + counted(lies, "lies") + counted(cuts, "cuts") +
         counted(kills, "processes killed") + counted(power_losses, "power losses") +
         counted(transactions, "transactions") + counted(questions, "questions") +
         counted(false_answers, "false answers") + counted(lost, "messages lost") + counted(repeated, "repeated") +
         std::to_string(compared) + " pairs of servers compared, " + std::to_string(forgetful) +
         " not, since one had forgotten what it knew before it left, " + std::to_string(misled) +
         " servers not, since they were told a state that was none";
}

const SigningKey& signing_key(const ServerName& server) {
  static std::map<ServerName, SigningKey> keys;
  auto found = keys.find(server);
  if (found == keys.end()) found = keys.emplace(server, test::key_of(server)).first;
  return found->second;
}

Network::Network(Schedule& schedule, Tally& tally) : schedule_(schedule), tally_(tally) {}
Network::~Network() = default;

void Network::add_liar(const ServerName& name, std::unique_ptr<FalseAnswers> answers) {
  liars_[name] = std::move(answers);
}

void Network::end_lies() { liars_.clear(); }

const FalseAnswers* Network::false_answers(const ServerName& server) {
  const auto liar = liars_.find(server);
  if (liar == liars_.end() || !liar->second->lies(schedule_.dice())) return nullptr;
  ++tally_.false_answers;
  return liar->second.get();
}

void Network::add(Node& node) {
  nodes_.push_back(&node);
  by_name_[node.name()] = &node;
}

Node* Network::at(const ServerName& name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

void Network::set_weather(int loss, int repeats, int delay_ms) {
  loss_ = loss;
  repeats_ = repeats;
  delay_ms_ = delay_ms;
}

void Network::cut(const ServerName& a, const ServerName& b) {
  if (a == b) return;
  cuts_.insert({a, b});
  cuts_.insert({b, a});
  ++tally_.cuts;
}

bool Network::reachable(const ServerName& from, const ServerName& to) {
  const Node* speaker = at(from);
  const Node* listener = at(to);
  return speaker != nullptr && listener != nullptr && speaker->is_up() && listener->is_up() &&
         !cuts_.contains({from, to});
}

std::int64_t Network::delay() { return 1 + schedule_.dice().below(delay_ms_); }

bool Network::gets_through(const ServerName& from, const ServerName& to) {
  ++tally_.questions;
  if (!reachable(from, to)) return false;
  if (schedule_.dice().percent(loss_)) {
    ++tally_.lost;
    return false;
  }
  return true;
}

void Network::deliver(const ServerName& from, const ServerName& to, const std::string& transaction,
                      const std::string& body, const std::function<void(Result<Json>)>& answer) {
  if (!reachable(from, to)) return;
  if (schedule_.dice().percent(loss_)) {
    ++tally_.lost;
    return;
  }
  at(to)->receive_transaction(from, transaction, body, [this, from, to, answer](Result<Json> result) {
    if (schedule_.dice().percent(loss_)) {
      ++tally_.lost;
      return;
    }
    schedule_.later(delay(), [this, from, to, answer, result = std::move(result)] {
      if (reachable(to, from)) answer(result);
    });
  });
}

void Network::send(const ServerName& from, federation::FederationRequest request,
                   federation::RequestSender::Done done) {
  ++tally_.transactions;
  const auto open = std::make_shared<federation::RequestSender::Done>(std::move(done));
  const auto answer = [open](const Result<Json>& result) {
    if (auto tell = std::exchange(*open, nullptr)) tell(result, {});
  };
  const std::string transaction = request.target.substr(request.target.rfind('/') + 1);
  const std::string body = request.body.value_or("");
  int copies = 1;
  if (schedule_.dice().percent(repeats_)) {
    ++copies;
    ++tally_.repeated;
  }
  for (; copies > 0; --copies) {
    // A repetition may come when others have come since.
    schedule_.later(delay() * (copies > 1 ? 5 : 1), [this, from, to = request.destination, transaction, body, answer] {
      deliver(from, to, transaction, body, answer);
    });
  }
  schedule_.later(patience_ms, [answer] { answer(tl::make_unexpected(no_answer())); });
}

std::unique_ptr<federation::RequestSender> make_post(Network& network, const Node& us) {
  return std::make_unique<Post>(network, us.name(), us.alive());
}

}  // namespace skerry::simulator
