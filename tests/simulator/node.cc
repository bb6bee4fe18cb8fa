#include "tests/simulator/node.h"

#include <filesystem>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/once.h"
#include "storage/database.h"

namespace skerry::simulator {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t put_off_ms = 600'000;
const federation::BackoffOptions backoff{std::chrono::milliseconds(500), std::chrono::milliseconds(20'000)};

class RecordedDatabase : public storage::Database {
 public:
  RecordedDatabase(storage::Database& database, Recorder& rooms) : database_(database), rooms_(rooms) {}
  storage::RoomStore& rooms() override { return rooms_; }
  storage::AccountStore& accounts() override { return database_.accounts(); }
  storage::StreamStore& stream() override { return database_.stream(); }
  storage::FederationStore& federation() override { return database_.federation(); }
  storage::RelationStore& relations() override { return database_.relations(); }
  storage::EventIndex& index() override { return database_.index(); }
  storage::MediaStore& media() override { return database_.media(); }
  storage::PeopleStore& people() override { return database_.people(); }
  storage::AppserviceStore& appservices() override { return database_.appservices(); }

 private:
  storage::Database& database_;
  Recorder& rooms_;
};

// The writer: it has work when somebody waits for it, which only it knows.
class WriterLane : public Lane {
 public:
  explicit WriterLane(storage::Database& database) : database_(database) {}
  bool has_work() const override { return database_.has_waiting_writes(); }
  void work() override { database_.write_waiting(); }

 private:
  storage::Database& database_;
};

}  // namespace

// What lives as long as the process does, in the order in which it is made.
struct Node::Running {
  Running(Node& node, std::unique_ptr<storage::Database> opened)
      : network(node.surroundings_.network),
        schedule(network.schedule()),
        database(std::move(opened)),
        recorder(database->rooms(), node.surroundings_.watch),
        recorded(*database, recorder),
        writer(*database),
        turns(turn_lane),
        local(local_lane),
        outbound(errand_lane),
        telephone(make_telephone(network, node)),
        post(make_post(network, node)),
        context{node.name_,
                signing_key(node.name_),
                recorded,
                *telephone,
                schedule,
                node.random_,
                turns,
                outbound,
                [](storage::StreamPosition, const std::vector<UserId>&, const RoomId&) {},
                [this](const std::vector<ServerName>& servers) { outbox.wake(servers); },
                {}},
        outbox(*post, database->federation(), schedule, local, schedule, node.name_, backoff),
        pipeline(context),
        reader(recorded, node.name_),
        membership(context, pipeline, reader) {
    for (Lane* lane : lanes()) schedule.add(lane);
    outbox.start();
  }
  ~Running() {
    for (Lane* lane : lanes()) schedule.remove(lane);
    outbox.stop();
    for (auto* pool : {&turns, &local, &outbound}) pool->stop();
    incoming.clear();
    for (auto* lane : {&turn_lane, &local_lane, &errand_lane}) lane->clear();
  }
  std::vector<Lane*> lanes() { return {&turn_lane, &local_lane, &errand_lane, &writer}; }

  Network& network;
  Schedule& schedule;
  std::unique_ptr<storage::Database> database;
  Recorder recorder;
  RecordedDatabase recorded;
  WriterLane writer;
  TaskLane turn_lane{false};
  TaskLane local_lane{false};
  TaskLane errand_lane{true};
  net::WorkerPool turns;
  net::WorkerPool local;
  net::WorkerPool outbound;
  std::unique_ptr<homeserver::RemoteRooms> telephone;
  std::unique_ptr<federation::RequestSender> post;
  homeserver::PipelineContext context;
  federation::Outbox outbox;
  homeserver::RoomPipeline pipeline;
  homeserver::RoomReader reader;
  homeserver::MembershipService membership;
  std::map<std::pair<ServerName, std::string>, std::shared_ptr<Incoming>> incoming;
  std::map<std::pair<ServerName, std::string>, std::int64_t> put_off_since;
};

// One transaction on its way through this server.
class Node::Incoming : public std::enable_shared_from_this<Incoming> {
 public:
  Incoming(Node& node, ServerName from, std::string id, Json body)
      : node_(node), from_(std::move(from)), id_(std::move(id)), body_(std::move(body)) {}

  void wait(TransactionAnswer answer) { answers_.push_back(std::move(answer)); }

  void next() {
    const Json& pdus = body_.at("pdus");
    if (at_ == pdus.size()) return finish();
    node_.pipeline().submit_remote(from_, pdus[at_++],
                                   [self = shared_from_this()](const homeserver::RemoteOutcome& outcome) {
                                     if (!*self->alive_) return;
                                     if (outcome.put_off && self->may_put_off())
                                       return self->end(fail(ErrorCode::remote_error, "come again"));
                                     if (outcome.judgement.verdict != Verdict::dropped && !outcome.is_outside)
                                       self->taken_.push_back(outcome.event);
                                     self->node_.running_->local.post([self] { self->next(); });
                                   });
  }

 private:
  bool may_put_off() {
    const auto [since, is_new] = node_.running_->put_off_since.emplace(std::pair(from_, id_), now());
    return now() - since->second < put_off_ms;
  }
  std::int64_t now() const { return node_.running_->schedule.now_ms(); }

  void finish() {
    for (const auto& event : taken_) node_.acknowledged_.insert(event);
    end(Json{{"pdus", Json::object()}});
    node_.running_->database->federation().save_transaction_response(from_, id_, R"({"pdus":{}})",
                                                                     [](const Result<void>&) {});
  }

  void end(const Result<Json>& answer) {
    node_.running_->incoming.erase({from_, id_});
    for (const auto& tell : answers_) tell(answer);
  }

  Node& node_;
  const ServerName from_;
  const std::string id_;
  const Json body_;
  const std::shared_ptr<const bool> alive_ = node_.alive_;
  std::size_t at_ = 0;
  std::vector<EventId> taken_;
  std::vector<TransactionAnswer> answers_;
};

Node::Node(Surroundings surroundings, ServerName name, std::uint64_t seed)
    : surroundings_(std::move(surroundings)), name_(std::move(name)), random_(seed) {
  start();
}

Node::~Node() {
  if (alive_) *alive_ = false;
}

UserId Node::user(int number) const {
  return test::user("@" + std::string(number == 0 ? "anna" : "bert") + ":" + name_.str());
}

homeserver::RoomPipeline& Node::pipeline() { return running_->pipeline; }
homeserver::RoomReader& Node::reader() { return running_->reader; }
homeserver::MembershipService& Node::membership() { return running_->membership; }
storage::RoomStore& Node::store() { return running_->database->rooms(); }

void Node::submit(homeserver::EventDraft draft) {
  pipeline().submit_local(std::move(draft), [this, alive = alive()](const Result<EventId>& event) {
    if (!event || !*alive) return;
    acknowledged_.insert(*event);
    sent_.insert(*event);
  });
}

Result<EventId> Node::submit_and_wait(homeserver::EventDraft draft) {
  homeserver::Answer<EventId> answer;
  pipeline().submit_local(std::move(draft), [give = answer.giver()](auto event) { give(std::move(event)); });
  auto event = answer.wait();
  if (event && is_up()) {
    acknowledged_.insert(*event);
    sent_.insert(*event);
  }
  return event;
}

Result<RoomId> Node::create_room(const std::string& version, std::vector<homeserver::EventDraft> rest) {
  homeserver::Answer<RoomId> answer;
  pipeline().create_room(version, user(0), "{}", std::move(rest),
                         [give = answer.giver()](auto room) { give(std::move(room)); });
  return answer.wait();
}

void Node::receive_transaction(const ServerName& from, const std::string& id, const std::string& body,
                               TransactionAnswer answer) {
  const auto answered = running_->database->federation().transaction_response(from, id);
  if (answered && answered->has_value()) return answer(Json{{"pdus", Json::object()}});
  auto& incoming = running_->incoming[{from, id}];
  const bool is_new = incoming == nullptr;
  if (is_new) {
    auto parsed = parse_untrusted(body, JsonNumbers::any);
    if (!parsed) return answer(tl::make_unexpected(parsed.error()));
    incoming = std::make_shared<Incoming>(*this, from, id, std::move(*parsed));
  }
  incoming->wait(std::move(answer));
  running_->outbox.saw_alive(from);
  if (is_new) running_->local.post([transaction = incoming] { transaction->next(); });
}

void Node::receive(const ServerName& from, const Json& pdu) {
  pipeline().submit_remote(from, pdu, [](const homeserver::RemoteOutcome&) {});
}

void Node::kill() {
  if (alive_) *alive_ = false;
  running_.reset();
  if (!doomed_) return;
  doomed_ = false;
  fs::remove_all(folder_);
  surroundings_.disk.forget(folder_);
  folder_ = folder_after_loss_;
}

void Node::lose_power_at(std::uint64_t write, std::uint64_t seed) {
  folder_after_loss_ = surroundings_.folder + "/" + name_.host() + "-" + std::to_string(++starts_);
  surroundings_.disk.lose_power(
      write, folder_after_loss_, seed,
      [this] {  // of the process that runs by then
        *alive_ = false;
        doomed_ = true;
      },
      folder_ + "/");
}

void Node::start() {
  if (folder_.empty()) folder_ = surroundings_.folder + "/" + name_.host();
  alive_ = std::make_shared<bool>(true);
  auto database = storage::open_sqlite_without_writer(folder_, name_);
  if (!database) throw std::runtime_error("a server cannot start again: " + database.error().text);
  running_ = std::make_unique<Running>(*this, std::move(*database));
  for (const auto& event : lost_events()) surroundings_.complain(name_.str() + " lost " + event.str());
}

std::vector<EventId> Node::lost_events() {
  return *store().absent(std::vector<EventId>(acknowledged_.begin(), acknowledged_.end()));
}

}  // namespace skerry::simulator
