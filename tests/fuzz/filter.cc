// A client's filter: what it wants of events, with its wildcards; and the tokens that say since when.
#include "homeserver/sync/filter.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/sync/tokens.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/room_builder.h"

using namespace skerry;
using namespace skerry::homeserver;
using skerry::test::must_hold;

namespace {

const std::vector<EventPtr>& events() {
  static const auto* made = [] {
    test::RoomBuilder room("11");
    auto tip = room.created();
    auto* list = new std::vector<EventPtr>;
    list->push_back(room.create());
    list->push_back(room.message(tip, room.creator()));
    list->push_back(room.state(tip, room.creator(), "org.example." + std::string(200, 'a'), R"({"url":"x"})"));
    return list;
  }();
  return *made;
}

void use(const EventFilter& filter) {
  must_hold(filter.limit <= limits::page_events, "a page is bounded");
  for (const EventPtr& event : events()) {
    const bool wanted = filter.wants(*event);
    must_hold(!wanted || (filter.wants_type(event->type()) && filter.wants_sender(event->sender().str())),
              "an event that is wanted is wanted in all its parts");
    (void)filter.wants_room(event->room_id().str());
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = test::text_of(data, size);
  if (const auto position = parse_stream_token(text)) {
    must_hold(stream_token(*position) == text, "a token is written in one way");
  }
  const auto json = parse_untrusted(text, JsonNumbers::any);
  if (!json) return 0;
  if (const auto filter = parse_filter(*json)) {
    for (const EventFilter* part :
         {&filter->timeline, &filter->state, &filter->ephemeral, &filter->room_account_data, &filter->account_data}) {
      use(*part);
    }
  }
  if (const auto filter = parse_event_filter(*json)) use(*filter);
  return 0;
}
