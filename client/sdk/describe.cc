#include "client/sdk/describe.h"

#include <nlohmann/json.hpp>

namespace skerry::client {
namespace {

using Kind = Description::Kind;

Description change(SafeText text) { return {Kind::change, std::move(text), false}; }
Description placeholder(SafeText text) { return {Kind::message, std::move(text), true}; }

SafeText with_reason(SafeText sentence, const RoomEvent& event) {
  const std::string reason = event.text("reason");
  return reason.empty() ? sentence : sentence + SafeText(": ") + SafeText(reason);
}

// The content that the event replaced, where the server tells; an empty object otherwise.
const Json& previous_content(const RoomEvent& event) {
  static const Json empty = Json::object();
  const Json* extra = find_object(*event.json, "unsigned");
  const Json* previous = extra ? find_object(*extra, "prev_content") : nullptr;
  return previous ? *previous : empty;
}

std::string previous_text(const RoomEvent& event, std::string_view key) {
  const std::string* text = find_string(previous_content(event), key);
  return text ? *text : std::string();
}

// A member as an event names it: the present name may be a later one.
SafeText name_in(const std::string& displayname, const std::string& user_id) {
  const SafeText name(displayname);
  return name.str().find_first_not_of(' ') == std::string::npos ? SafeText(user_id) : name;
}

Description describe_join(const RoomEvent& event) {
  const SafeText name = name_in(event.text("displayname"), *event.state_key);
  if (previous_text(event, "membership") != "join") return change(name + " joined");
  const SafeText before = name_in(previous_text(event, "displayname"), *event.state_key);
  if (before == name) return {};  // a new avatar
  return change(before + " is now called " + name);
}

Description describe_leave(const Room& room, const RoomEvent& event) {
  const std::string before = previous_text(event, "membership");
  const SafeText who = name_in(previous_text(event, "displayname"), *event.state_key);
  const SafeText by = room.member_name(event.sender);
  if (event.sender == *event.state_key) {
    return change(with_reason(who + (before == "invite" ? " declined the invitation" : " left"), event));
  }
  if (before == "ban") return change(with_reason(by + " lifted the ban on " + who, event));
  if (before == "invite") return change(with_reason(by + " took back the invitation of " + who, event));
  return change(with_reason(by + " removed " + who, event));
}

Description describe_member(const Room& room, const RoomEvent& event) {
  const std::string membership = event.text("membership");
  if (membership == "join") return describe_join(event);
  if (membership == "leave") return describe_leave(room, event);
  const SafeText who = name_in(event.text("displayname"), *event.state_key);
  const SafeText by = room.member_name(event.sender);
  if (membership == "invite") return change(with_reason(by + " invited " + who, event));
  if (membership == "ban") return change(with_reason(by + " banned " + who, event));
  if (membership == "knock") return change(with_reason(who + " asks to be let in", event));
  return {};
}

// State events but memberships.
Description describe_state(const Room& room, const RoomEvent& event) {
  const SafeText by = room.member_name(event.sender);
  const bool first = previous_content(event).empty();
  if (event.type == "m.room.create") return change(by + " created this room");
  if (event.type == "m.room.name") {
    const std::string name = event.text("name");
    return change(name.empty() ? by + " took the room's name away" : by + " named the room '" + name + "'");
  }
  if (event.type == "m.room.topic") {
    const std::string topic = event.text("topic");
    return change(topic.empty() ? by + " took the topic away" : by + " set the topic: " + topic);
  }
  if (event.type == "m.room.canonical_alias" && !event.text("alias").empty()) {
    return change(by + " made " + event.text("alias") + " the room's address");
  }
  if (event.type == "m.room.encryption") return change(by + " turned encryption on");
  if (event.type == "m.room.power_levels" && !first) return change(by + " changed who may do what");
  if (event.type == "m.room.join_rules" && !first) {
    const std::string rule = event.text("join_rule");
    if (rule == "public") return change(by + " opened the room to everyone");
    if (rule == "invite") return change(by + " closed the room to all but the invited");
    return change(by + " changed who may join");
  }
  if (event.type == "m.room.tombstone") {
    return change(
        with_reason("This room was replaced by another: /join " + SafeText(event.text("replacement_room")), event));
  }
  return {};
}

std::string readable_size(std::int64_t bytes) {
  if (bytes < 1'024) return std::to_string(bytes) + " B";
  if (bytes < 1'024 * 1'024) return std::to_string(bytes / 1'024) + " KB";
  return std::to_string(bytes / (1'024 * 1'024)) + " MB";
}

// '[image: cat.png, 12 KB] what is written below it'
Description describe_file(const RoomEvent& event, const char* what) {
  const std::string body = event.text("body");
  const std::string filename = event.text("filename");
  const SafeText name = filename.empty() ? SafeText(body) : SafeText(filename);
  SafeText text = SafeText("[") + what + (name.empty() ? SafeText() : SafeText(": ") + name);
  const Json* info = find_object(event.content(), "info");
  const Json* size = info ? find_member(*info, "size") : nullptr;
  if (size && size->is_number_integer() && size->get<std::int64_t>() > 0)
    text += ", " + readable_size(size->get<std::int64_t>());
  text += "]";
  if (!filename.empty() && body != filename && !body.empty()) text += SafeText(" ") + SafeText(body);
  return placeholder(std::move(text));
}

Description describe_message(const TimelineItem& item) {
  const RoomEvent& event = item.event;
  const std::string kind = event.text("msgtype");
  if (kind == "m.image") return describe_file(event, "image");
  if (kind == "m.file") return describe_file(event, "file");
  if (kind == "m.audio") return describe_file(event, "audio");
  if (kind == "m.video") return describe_file(event, "video");
  if (kind == "m.location") return describe_file(event, "location");
  if (kind == "m.key.verification.request") return placeholder("[asks to verify your device]");
  std::string body = item.edited_body ? *item.edited_body : event.text("body");
  if (!relation_of(event).reply_to.empty()) body = without_reply_fallback(body);
  if (body.empty()) return placeholder("[message without text]");
  if (kind == "m.emote") return {Kind::emote, SafeText::multi_line(body), false};
  if (kind == "m.notice") return {Kind::notice, SafeText::multi_line(body), false};
  return {Kind::message, SafeText::multi_line(body), false};
}

}  // namespace

std::string without_reply_fallback(const std::string& body) {
  std::size_t at = 0;
  while (body.compare(at, 2, "> ") == 0 || body.compare(at, 2, ">\n") == 0) {
    const std::size_t end = body.find('\n', at);
    if (end == std::string::npos) return body;
    at = end + 1;
  }
  if (at > 0 && at < body.size() && body[at] == '\n') ++at;
  return at < body.size() ? body.substr(at) : body;
}

Description describe(const Room& room, const TimelineItem& item) {
  const RoomEvent& event = item.event;
  if (event.state_key) {
    if (event.type == "m.room.member") return item.redacted ? Description{} : describe_member(room, event);
    return describe_state(room, event);
  }
  const bool shown = event.type == "m.room.message" || event.type == "m.sticker" || event.type == "m.room.encrypted";
  if (item.redacted) return shown ? placeholder("[deleted]") : Description{};
  if (event.type == "m.room.message") return describe_message(item);
  if (event.type == "m.sticker") return describe_file(event, "sticker");
  if (event.type == "m.room.encrypted") return placeholder("[encrypted: this client cannot read it]");
  // Newer kinds of events carry a text for clients that do not know them.
  if (const std::string body = event.text("body"); !body.empty())
    return {Kind::message, SafeText::multi_line(body), false};
  return {};
}

}  // namespace skerry::client
