// Every endpoint of this server: method, path, handler, who may call, where it runs, what body it takes.
// What has no row answers 404 or 405 M_UNRECOGNIZED. Rows under /_matrix/client/v3 answer under r0 as well, but for
// those that are `later` than r0. Locked users may do nothing but where `nobody` is barred.
#include "homeserver/routes.h"

#include "homeserver/client_api/handlers.h"
#include "homeserver/federation_api/handlers.h"

namespace skerry::homeserver {

namespace {

using namespace client_api;  // NOLINT(google-build-using-namespace): the table reads better without prefixes
using enum Access;           // anyone, user, appservice, server
using enum Since;            // r0, later
using enum Barred;           // nobody, locked, suspended

constexpr Pool local = Pool::local;
constexpr Pool outbound = Pool::outbound;
constexpr Pool federation = Pool::federation;
constexpr Body none = Body::none;
constexpr Body json = Body::json;
constexpr Body canonical = Body::canonical;
constexpr Body raw = Body::raw;

// clang-format off
const std::vector<Route> table = {
    // -- what this server is
    {"GET", "/_matrix/client/versions", get_versions, anyone, local, none},
    {"GET", "/_matrix/client/v3/capabilities", get_capabilities, user, local, none},
    {"GET", "/.well-known/matrix/client", well_known_client, anyone, local, none},
    {"GET", "/.well-known/matrix/server", well_known_server, anyone, local, none},
    {"GET", "/.well-known/matrix/support", well_known_support, anyone, local, none},

    // -- accounts, sessions, devices; where a password is hashed, the call waits for its turn: not on `local`
    {"POST", "/_matrix/client/v3/register", register_account, anyone, outbound, json},
    {"GET", "/_matrix/client/v3/register/available", username_available, anyone, local, none},
    {"GET", "/_synapse/admin/v1/register", get_registration_nonce, anyone, local, none},
    {"POST", "/_synapse/admin/v1/register", register_with_shared_secret, anyone, outbound, json},
    {"GET", "/_matrix/client/v3/login", get_login_flows, anyone, local, none},
    {"POST", "/_matrix/client/v3/login", login, anyone, outbound, json},
    {"POST", "/_matrix/client/v3/refresh", refresh, anyone, local, json, later},
    {"POST", "/_matrix/client/v3/logout", logout, user, local, none, r0, nobody},
    {"POST", "/_matrix/client/v3/logout/all", logout_all, user, local, none, r0, nobody},
    {"GET", "/_matrix/client/v3/account/whoami", whoami, user, local, none},
    {"POST", "/_matrix/client/v3/account/password", change_password, user, outbound, json},
    {"POST", "/_matrix/client/v3/account/deactivate", deactivate_account, user, outbound, json},
    {"GET", "/_matrix/client/v3/account/3pid", get_third_party_ids, user, local, none},
    {"POST", "/_matrix/client/v1/login/get_token", get_login_token, user, outbound, json},
    {"POST", "/_matrix/client/v3/user/{userId}/openid/request_token", request_openid_token, user, local, json},
    {"GET", "/_matrix/client/v3/devices", get_devices, user, local, none},
    {"GET", "/_matrix/client/v3/devices/{deviceId}", get_device, user, local, none},
    {"PUT", "/_matrix/client/v3/devices/{deviceId}", put_device, user, local, json},
    {"DELETE", "/_matrix/client/v3/devices/{deviceId}", delete_device, user, outbound, json},
    {"POST", "/_matrix/client/v3/delete_devices", delete_devices, user, outbound, json},

    {"GET", "/_matrix/client/v1/admin/lock/{userId}", get_locked, user, local, none},
    {"PUT", "/_matrix/client/v1/admin/lock/{userId}", put_locked, user, local, json},
    {"GET", "/_matrix/client/v1/admin/suspend/{userId}", get_suspended, user, local, none},
    {"PUT", "/_matrix/client/v1/admin/suspend/{userId}", put_suspended, user, local, json},

    // -- profiles, account data, filters, push rules
    {"GET", "/_matrix/client/v3/profile/{userId}", get_profile, anyone, outbound, none},
    {"GET", "/_matrix/client/v3/profile/{userId}/{keyName}", get_profile_field, anyone, outbound, none},
    {"PUT", "/_matrix/client/v3/profile/{userId}/{keyName}", put_profile_field, user, local, json, r0, suspended},
    {"DELETE", "/_matrix/client/v3/profile/{userId}/{keyName}", delete_profile_field, user, local, none, later, suspended},
    {"GET", "/_matrix/client/v3/user/{userId}/account_data/{type}", get_account_data, user, local, none},
    {"PUT", "/_matrix/client/v3/user/{userId}/account_data/{type}", put_account_data, user, local, json},
    {"GET", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", get_room_account_data, user, local, none},
    {"PUT", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", put_room_account_data, user, local, json},
    {"GET", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags", get_tags, user, local, none},
    {"PUT", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", put_tag, user, local, json},
    {"DELETE", "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}", delete_tag, user, local, none},
    {"POST", "/_matrix/client/v3/user/{userId}/filter", post_filter, user, local, json},
    {"GET", "/_matrix/client/v3/user/{userId}/filter/{filterId}", get_filter, user, local, none},
    {"GET", "/_matrix/client/v3/pushrules/", get_push_rules, user, local, none},
    {"GET", "/_matrix/client/v3/pushrules/global/", get_global_push_rules, user, local, none},
    {"GET", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", get_push_rule, user, local, none},
    {"PUT", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", put_push_rule, user, local, json},
    {"DELETE", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", delete_push_rule, user, local, none},
    {"GET", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", get_push_rule_enabled, user, local, none},
    {"PUT", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", put_push_rule_enabled, user, local, json},
    {"GET", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", get_push_rule_actions, user, local, none},
    {"PUT", "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", put_push_rule_actions, user, local, json},

    {"GET", "/_matrix/client/v3/notifications", get_notifications, user, local, none},
    {"GET", "/_matrix/client/v3/voip/turnServer", get_turn_server, user, local, none},

    // -- rooms: making, finding, joining
    {"POST", "/_matrix/client/v3/createRoom", create_room, user, local, canonical, r0, suspended},
    {"POST", "/_matrix/client/v3/join/{roomIdOrAlias}", join_room_or_alias, user, outbound, canonical, r0, suspended},
    {"POST", "/_matrix/client/v3/knock/{roomIdOrAlias}", knock_room_or_alias, user, outbound, canonical, r0, suspended},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/join", join_room, user, outbound, canonical, r0, suspended},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/leave", leave_room, user, outbound, canonical},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/forget", forget_room, user, local, json},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/invite", invite_user, user, outbound, canonical, r0, suspended},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/kick", kick_user, user, local, canonical, r0, suspended},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/ban", ban_user, user, local, canonical, r0, suspended},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/unban", unban_user, user, local, canonical, r0, suspended},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/upgrade", upgrade_room, user, local, canonical, r0, suspended},
    {"GET", "/_matrix/client/v3/joined_rooms", joined_rooms, user, local, none},
    {"GET", "/_matrix/client/v3/directory/room/{roomAlias}", get_alias, anyone, outbound, none},
    {"PUT", "/_matrix/client/v3/directory/room/{roomAlias}", put_alias, user, local, json, r0, suspended},
    {"DELETE", "/_matrix/client/v3/directory/room/{roomAlias}", delete_alias, user, local, none, r0, suspended},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/aliases", get_room_aliases, user, local, none},
    {"GET", "/_matrix/client/v3/directory/list/room/{roomId}", get_published, anyone, local, none},
    {"PUT", "/_matrix/client/v3/directory/list/room/{roomId}", put_published, user, local, json, r0, suspended},
    {"GET", "/_matrix/client/v3/publicRooms", get_public_rooms, anyone, outbound, none},
    {"POST", "/_matrix/client/v3/publicRooms", post_public_rooms, user, outbound, json},
    {"GET", "/_matrix/client/v1/room_summary/{roomIdOrAlias}", get_room_summary, user, outbound, none},
    {"GET", "/_matrix/client/v1/rooms/{roomId}/hierarchy", client_api::get_hierarchy, user, outbound, none},
    {"POST", "/_matrix/client/v3/user_directory/search", search_user_directory, user, outbound, json},
    {"GET", "/_matrix/client/v1/mutual_rooms", get_mutual_rooms, user, local, none},

    // -- rooms: reading and writing
    {"GET", "/_matrix/client/v3/sync", client_api::sync, user, local, none},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", send_event, user, local, canonical, r0, suspended},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", redact_event, user, local, canonical},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/state", get_state, user, local, none},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", get_state_event, user, local, none},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", get_state_event, user, local, none},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", get_state_event, user, local, none},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", set_state, user, outbound, canonical, r0, suspended},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/", set_state, user, outbound, canonical, r0, suspended},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", set_state, user, outbound, canonical, r0, suspended},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/members", get_members, user, local, none},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/joined_members", get_joined_members, user, local, none},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/messages", get_messages, user, outbound, none},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/event/{eventId}", get_event, user, local, none},
    {"GET", "/_matrix/client/v3/rooms/{roomId}/context/{eventId}", get_context, user, local, none},
    {"GET", "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}", get_relations, user, local, none},
    {"GET", "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}", get_relations, user, local, none},
    {"GET", "/_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}", get_relations, user, local, none},
    {"GET", "/_matrix/client/v1/rooms/{roomId}/threads", get_threads, user, local, none},
    {"PUT", "/_matrix/client/v3/rooms/{roomId}/typing/{userId}", put_typing, user, local, json},
    {"GET", "/_matrix/client/v3/presence/{userId}/status", get_presence, user, local, none},
    {"PUT", "/_matrix/client/v3/presence/{userId}/status", put_presence, user, local, json},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}", post_receipt, user, local, json},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/read_markers", post_read_markers, user, local, json},

    {"GET", "/_matrix/client/v1/rooms/{roomId}/timestamp_to_event", get_timestamp_to_event, user, outbound, none},
    {"POST", "/_matrix/client/v3/search", client_api::search, user, outbound, json},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/report", report_room, user, local, json, later},
    {"POST", "/_matrix/client/v3/rooms/{roomId}/report/{eventId}", report_event, user, local, json},
    {"POST", "/_matrix/client/v3/users/{userId}/report", report_user, user, local, json, later},

    // -- media; uploads are written and synced to the disk: not on `local`
    {"POST", "/_matrix/media/v3/upload", upload_media, user, outbound, raw, r0, suspended},
    {"PUT", "/_matrix/media/v3/upload/{serverName}/{mediaId}", upload_created_media, user, outbound, raw, later, suspended},
    {"POST", "/_matrix/media/v1/create", create_media, user, local, none, r0, suspended},
    {"GET", "/_matrix/client/v1/media/download/{serverName}/{mediaId}", download_media, user, outbound, none},
    {"GET", "/_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}", download_media, user, outbound, none},
    {"GET", "/_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}", get_thumbnail, user, outbound, none},
    {"GET", "/_matrix/client/v1/media/config", get_media_config, user, local, none},
    {"GET", "/_matrix/media/v3/download/{serverName}/{mediaId}", download_media, anyone, outbound, none},
    {"GET", "/_matrix/media/v3/download/{serverName}/{mediaId}/{fileName}", download_media, anyone, outbound, none},
    {"GET", "/_matrix/media/v3/thumbnail/{serverName}/{mediaId}", get_thumbnail, anyone, outbound, none},
    {"GET", "/_matrix/media/v3/config", get_media_config, user, local, none},

    // -- application services
    {"POST", "/_matrix/client/v1/appservice/{appserviceId}/ping", ping_appservice, appservice, local, json},
    {"PUT", "/_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}", put_appservice_listed, appservice, local, json},

    {"GET", "/_matrix/client/v3/thirdparty/protocols", get_protocols, user, outbound, none},
    {"GET", "/_matrix/client/v3/thirdparty/protocol/{protocol}", get_protocol, user, outbound, none},
    {"GET", "/_matrix/client/v3/thirdparty/user/{protocol}", get_third_party_users, user, outbound, none},
    {"GET", "/_matrix/client/v3/thirdparty/location/{protocol}", get_third_party_locations, user, outbound, none},
    {"GET", "/_matrix/client/v3/thirdparty/user", find_third_party_users, user, outbound, none},
    {"GET", "/_matrix/client/v3/thirdparty/location", find_third_party_locations, user, outbound, none},

    // -- other servers: who they are, what they send
    {"GET", "/_matrix/federation/v1/version", federation_api::get_version, anyone, local, none},
    {"GET", "/_matrix/key/v2/server", federation_api::get_own_keys, anyone, federation, none},
    {"GET", "/_matrix/key/v2/query/{serverName}", federation_api::query_keys_of_server, anyone, federation, none},
    {"POST", "/_matrix/key/v2/query", federation_api::query_keys, anyone, federation, json},
    {"PUT", "/_matrix/federation/v1/send/{txnId}", federation_api::send_transaction, server, federation, json},

    // -- other servers: their users' memberships
    {"GET", "/_matrix/federation/v1/make_join/{roomId}/{userId}", federation_api::make_join, server, federation, none},
    {"GET", "/_matrix/federation/v1/make_leave/{roomId}/{userId}", federation_api::make_leave, server, federation, none},
    {"GET", "/_matrix/federation/v1/make_knock/{roomId}/{userId}", federation_api::make_knock, server, federation, none},
    {"PUT", "/_matrix/federation/v2/send_join/{roomId}/{eventId}", federation_api::send_join, server, federation, json},
    {"PUT", "/_matrix/federation/v1/send_join/{roomId}/{eventId}", federation_api::send_join_v1, server, federation, json},
    {"PUT", "/_matrix/federation/v2/send_leave/{roomId}/{eventId}", federation_api::send_leave, server, federation, json},
    {"PUT", "/_matrix/federation/v1/send_leave/{roomId}/{eventId}", federation_api::send_leave_v1, server, federation, json},
    {"PUT", "/_matrix/federation/v1/send_knock/{roomId}/{eventId}", federation_api::send_knock, server, federation, json},
    {"PUT", "/_matrix/federation/v2/invite/{roomId}/{eventId}", federation_api::invite, server, federation, json},

    // -- other servers: what they ask
    {"GET", "/_matrix/federation/v1/event/{eventId}", federation_api::get_event, server, federation, none},
    {"GET", "/_matrix/federation/v1/state/{roomId}", federation_api::get_state, server, federation, none},
    {"GET", "/_matrix/federation/v1/state_ids/{roomId}", federation_api::get_state_ids, server, federation, none},
    {"GET", "/_matrix/federation/v1/event_auth/{roomId}/{eventId}", federation_api::get_event_auth, server, federation, none},
    {"GET", "/_matrix/federation/v1/backfill/{roomId}", federation_api::backfill, server, federation, none},
    {"POST", "/_matrix/federation/v1/get_missing_events/{roomId}", federation_api::get_missing_events, server, federation, json},
    {"GET", "/_matrix/federation/v1/query/profile", federation_api::query_profile, server, federation, none},
    {"GET", "/_matrix/federation/v1/query/directory", federation_api::query_directory, server, federation, none},
    {"GET", "/_matrix/federation/v1/timestamp_to_event/{roomId}", federation_api::get_timestamp_to_event, server, federation, none},
    {"GET", "/_matrix/federation/v1/media/download/{mediaId}", federation_api::download_media, server, federation, none},
    {"GET", "/_matrix/federation/v1/media/thumbnail/{mediaId}", federation_api::get_thumbnail, server, federation, none},
    {"GET", "/_matrix/federation/v1/openid/userinfo", federation_api::get_openid_userinfo, anyone, federation, none},
    {"GET", "/_matrix/federation/v1/hierarchy/{roomId}", federation_api::get_hierarchy, server, federation, none},
    {"GET", "/_matrix/federation/v1/publicRooms", federation_api::get_public_rooms, server, federation, none},
    {"POST", "/_matrix/federation/v1/publicRooms", federation_api::post_public_rooms, server, federation, json},
};
// clang-format on

}  // namespace

const std::vector<Route>& routes() { return table; }

}  // namespace skerry::homeserver
