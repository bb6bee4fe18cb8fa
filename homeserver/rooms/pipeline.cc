#include "homeserver/rooms/pipeline.h"

#include <nlohmann/json.hpp>

#include "homeserver/rooms/engine.h"
#include "homeserver/rooms/history.h"
#include "homeserver/rooms/install.h"
#include "homeserver/rooms/local.h"
#include "homeserver/rooms/member_events.h"
#include "homeserver/rooms/missing.h"
#include "homeserver/rooms/new_room.h"
#include "homeserver/rooms/remote.h"
#include "homeserver/rooms/upgrade.h"

namespace skerry::homeserver {

struct RoomPipeline::Impl {
  explicit Impl(PipelineContext context)
      : engine(std::make_shared<Engine>(std::move(context))),
        missing(std::make_shared<MissingEvents>(engine)),
        joining(std::make_shared<Joining>()) {}

  std::shared_ptr<Engine> engine;
  std::shared_ptr<MissingEvents> missing;
  std::shared_ptr<Joining> joining;
  Backfiller backfiller;
};

RoomPipeline::RoomPipeline(PipelineContext context) : impl_(std::make_shared<Impl>(std::move(context))) {}

RoomPipeline::~RoomPipeline() { impl_->engine->close(); }

void RoomPipeline::submit_local(EventDraft draft, std::function<void(Result<EventId>)> done) {
  send_local(impl_->engine, std::move(draft), std::move(done));
}

void RoomPipeline::create_room(const std::string& version, const UserId& creator,
                               const std::string& create_content_json, std::vector<EventDraft> rest,
                               std::function<void(Result<RoomId>)> done) {
  create_local_room(impl_->engine, version, creator, create_content_json, std::move(rest), std::move(done));
}

void RoomPipeline::upgrade_room(RoomUpgrade upgrade, std::function<void(Result<RoomId>)> done) {
  homeserver::upgrade_room(impl_->engine, std::move(upgrade), std::move(done));
}

void RoomPipeline::submit_remote(const ServerName& origin, Json pdu, std::function<void(RemoteOutcome)> done) {
  receive_remote(impl_->engine, impl_->missing, impl_->joining, origin, std::move(pdu), std::move(done));
}

void RoomPipeline::submit_signed_membership(const ServerName& origin, Json pdu,
                                            std::function<void(Result<RoomAtEvent>)> done) {
  receive_signed_membership(impl_->engine, origin, std::move(pdu), std::move(done));
}

void RoomPipeline::make_template(EventDraft draft, std::function<void(Result<EventTemplate>)> done) {
  make_member_template(impl_->engine, std::move(draft), std::move(done));
}

void RoomPipeline::submit_countersigned(Json pdu, std::function<void(Result<EventId>)> done) {
  commit_countersigned(impl_->engine, std::move(pdu), std::move(done));
}

void RoomPipeline::install_room(RemoteRoom room, std::function<void(Result<EventId>)> done) {
  install_joined_room(impl_->engine, impl_->missing, room, std::move(done));
}

std::shared_ptr<void> RoomPipeline::joining(const RoomId& room) {
  impl_->joining->begin(room);
  return {nullptr, [joining = impl_->joining, room](void*) { joining->end(room); }};
}

Result<bool> RoomPipeline::backfill(const RoomId& room, std::size_t limit) {
  return impl_->backfiller.backfill(*impl_->engine, room, limit);
}

Result<void> RoomPipeline::countersign(const RoomRules& rules, Json& pdu) const {
  return add_our_signature(*impl_->engine, rules, pdu);
}

}  // namespace skerry::homeserver
