// GET /devices, /devices/{deviceId}                        the caller's devices
// PUT /devices/{deviceId}                                  renames one; application services make new ones
// DELETE /devices/{deviceId}, POST /delete_devices         ends their sessions, after the password
// Client-server API, 'Device Management'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/sessions.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t name_bytes = 255;
constexpr std::size_t deleted_at_once = 1'000;

// The specification has all but the id optional; some clients (matrix-nio) fail where a member is not there. No address
// is kept.
Json device_json(const storage::Device& device) {
  Json json = {
      {"device_id", device.id}, {"display_name", nullptr}, {"last_seen_ip", nullptr}, {"last_seen_ts", nullptr}};
  if (!device.display_name.empty()) json["display_name"] = device.display_name;
  if (device.last_seen_ms > 0) json["last_seen_ts"] = device.last_seen_ms;
  return json;
}

// Errors: not_found.
Result<storage::Device> device_of(Services& services, const UserId& user, const std::string& id) {
  auto devices = services.database.accounts().devices(user);
  if (!devices) return tl::make_unexpected(devices.error());
  const auto found =
      std::find_if(devices->begin(), devices->end(), [&](const storage::Device& device) { return device.id == id; });
  if (found == devices->end()) return fail(ErrorCode::not_found, "you have no such device");
  return *found;
}

void remove_devices(Services& services, const Call& call, const std::vector<std::string>& devices, Reply reply) {
  // Application services have no password ('Deleting devices').
  const bool proven = call.caller->appservice != nullptr || proves_password(services, call, "delete_devices", reply);
  if (!proven) return;
  auto closed = services.accounts.close_sessions(call.caller->user, devices);
  if (!closed) return reply.error(closed.error());
  reply.json(nothing());
}

// 'Creating devices': application services need no login for that.
void create_device(Services& services, const Call& call, const std::string& name, Reply reply) {
  const std::string& id = call.parameters[0];
  if (id.empty() || id.size() > name_bytes)
    return reply.error({ErrorCode::invalid_param, "a device id has 1 to 255 bytes"});
  auto added = services.database.accounts().add_device(call.caller->user, {id, name, services.clock.now_ms()});
  if (!added) return reply.error(added.error());
  reply.json(nothing(), 201);
}

}  // namespace

void get_devices(Services& services, Call call, Reply reply) {
  auto devices = services.database.accounts().devices(call.caller->user);
  if (!devices) return reply.error(devices.error());
  Json list = Json::array();
  for (const storage::Device& device : *devices) list.push_back(device_json(device));
  reply.json({{"devices", std::move(list)}});
}

void get_device(Services& services, Call call, Reply reply) {
  auto device = device_of(services, call.caller->user, call.parameters[0]);
  if (!device) return reply.error(device.error());
  reply.json(device_json(*device));
}

void put_device(Services& services, Call call, Reply reply) {
  auto name = optional_string(*call.body, "display_name");
  if (!name) return reply.error(name.error());
  if (*name && (*name)->size() > name_bytes)
    return reply.error({ErrorCode::invalid_param, "the name is longer than 255 bytes"});
  auto device = device_of(services, call.caller->user, call.parameters[0]);
  const bool is_new = !device && device.error().code == ErrorCode::not_found;
  if (is_new && call.caller->appservice != nullptr)
    return create_device(services, call, name->value_or(""), std::move(reply));
  if (!device) return reply.error(device.error());
  if (*name) {
    auto set = services.database.accounts().set_device_name(call.caller->user, device->id, **name);
    if (!set) return reply.error(set.error());
  }
  reply.json(nothing());
}

void delete_device(Services& services, Call call, Reply reply) {
  remove_devices(services, call, {call.parameters[0]}, std::move(reply));
}

void delete_devices(Services& services, Call call, Reply reply) {
  const Json* list = find_member(*call.body, "devices");
  if (list == nullptr) return reply.error({ErrorCode::missing_param, "devices is required"});
  const bool good = list->is_array() && list->size() <= deleted_at_once &&
                    std::all_of(list->begin(), list->end(), [](const Json& id) { return id.is_string(); });
  if (!good) return reply.error({ErrorCode::bad_json, "devices must be a list of at most 1,000 device ids"});
  remove_devices(services, call, list->get<std::vector<std::string>>(), std::move(reply));
}

}  // namespace skerry::homeserver::client_api
