// Events that wait for others which are not here yet, and the errands that fetch those. Promises one errand per room at
// a time, each event answered in the order in which it came to wait, and that none waits for ever.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "homeserver/rooms/arrival.h"
#include "homeserver/rooms/fetch.h"

namespace skerry::homeserver {

// Thread-safe.
class MissingEvents : public std::enable_shared_from_this<MissingEvents> {
 public:
  explicit MissingEvents(std::shared_ptr<Engine> engine);

  // True when the same event waits already (then the arrival is answered along with it), or one that comes before it
  // (then it waits behind that one).
  bool wait_with_others(const std::shared_ptr<Arrival>& arrival);
  // Lets the event wait until an errand brought what it needs. Answered `dropped` when too many wait.
  void wait(const std::shared_ptr<Arrival>& arrival);

 private:
  struct Queue {
    std::deque<std::shared_ptr<Arrival>> waiting;                 // the first is being worked on
    std::unordered_map<EventId, std::shared_ptr<Arrival>> by_id;  // the same ones
  };
  bool enqueue(const std::shared_ptr<Arrival>& arrival);
  void run_errands(const RoomId& room);
  void errand(const std::shared_ptr<Arrival>& arrival);
  static void give_up(const Fetcher& fetcher, const std::shared_ptr<Arrival>& arrival, std::string reason);
  struct Gap;
  void take_over(Fetcher& fetcher, Gap& gap, const std::vector<EventPtr>& brought);
  static std::vector<EventId> edge_of(const Gap& gap);
  void fill_gap(Fetcher& fetcher, const std::shared_ptr<Arrival>& arrival, const Needs& needs);
  // Offers an event until it is judged or what it needs cannot be had. Needs that could not be met; nothing when
  // answered.
  std::optional<Needs> offer_fetching(Fetcher& fetcher, const std::shared_ptr<Arrival>& arrival,
                                      bool state_as_last_resort);

  std::shared_ptr<Engine> engine_;
  std::mutex mutex_;
  std::unordered_map<RoomId, Queue> queues_;
};

}  // namespace skerry::homeserver
