// The handlers of the client-server API, by file. Each file's first comment says method, path and promise.
#pragma once

#include "homeserver/route.h"

namespace skerry::homeserver::client_api {

// account.cc
void deactivate_account(Services&, Call, Reply);
void get_third_party_ids(Services&, Call, Reply);
void get_login_token(Services&, Call, Reply);
void request_openid_token(Services&, Call, Reply);
void get_turn_server(Services&, Call, Reply);

// account_data.cc
void get_account_data(Services&, Call, Reply);
void put_account_data(Services&, Call, Reply);
void get_room_account_data(Services&, Call, Reply);
void put_room_account_data(Services&, Call, Reply);
void get_tags(Services&, Call, Reply);
void put_tag(Services&, Call, Reply);
void delete_tag(Services&, Call, Reply);

// create_room.cc
void create_room(Services&, Call, Reply);

// devices.cc
void get_devices(Services&, Call, Reply);
void get_device(Services&, Call, Reply);
void put_device(Services&, Call, Reply);
void delete_device(Services&, Call, Reply);
void delete_devices(Services&, Call, Reply);

// directory.cc
void get_alias(Services&, Call, Reply);
void put_alias(Services&, Call, Reply);
void delete_alias(Services&, Call, Reply);
void get_room_aliases(Services&, Call, Reply);
void get_published(Services&, Call, Reply);
void put_published(Services&, Call, Reply);
void get_public_rooms(Services&, Call, Reply);
void post_public_rooms(Services&, Call, Reply);

// filters.cc
void post_filter(Services&, Call, Reply);
void get_filter(Services&, Call, Reply);

// login.cc
void get_login_flows(Services&, Call, Reply);
void login(Services&, Call, Reply);
void refresh(Services&, Call, Reply);
void logout(Services&, Call, Reply);
void logout_all(Services&, Call, Reply);
void whoami(Services&, Call, Reply);
void change_password(Services&, Call, Reply);

// media.cc
void upload_media(Services&, Call, Reply);
void create_media(Services&, Call, Reply);
void upload_created_media(Services&, Call, Reply);
void download_media(Services&, Call, Reply);
void get_thumbnail(Services&, Call, Reply);
void get_media_config(Services&, Call, Reply);

// membership.cc
void join_room(Services&, Call, Reply);
void join_room_or_alias(Services&, Call, Reply);
void knock_room_or_alias(Services&, Call, Reply);
void leave_room(Services&, Call, Reply);
void forget_room(Services&, Call, Reply);
void invite_user(Services&, Call, Reply);
void kick_user(Services&, Call, Reply);
void ban_user(Services&, Call, Reply);
void unban_user(Services&, Call, Reply);
void joined_rooms(Services&, Call, Reply);

// messages.cc
void get_messages(Services&, Call, Reply);
void get_event(Services&, Call, Reply);
void get_context(Services&, Call, Reply);

// moderation.cc
void get_locked(Services&, Call, Reply);
void put_locked(Services&, Call, Reply);
void get_suspended(Services&, Call, Reply);
void put_suspended(Services&, Call, Reply);

// mutual_rooms.cc
void get_mutual_rooms(Services&, Call, Reply);

// notifications.cc
void get_notifications(Services&, Call, Reply);

// presence.cc
void get_presence(Services&, Call, Reply);
void put_presence(Services&, Call, Reply);

// profile.cc
void get_profile(Services&, Call, Reply);
void get_profile_field(Services&, Call, Reply);
void put_profile_field(Services&, Call, Reply);
void delete_profile_field(Services&, Call, Reply);

// push_rules.cc
void get_push_rules(Services&, Call, Reply);
void get_global_push_rules(Services&, Call, Reply);
void get_push_rule(Services&, Call, Reply);
void put_push_rule(Services&, Call, Reply);
void delete_push_rule(Services&, Call, Reply);
void get_push_rule_enabled(Services&, Call, Reply);
void put_push_rule_enabled(Services&, Call, Reply);
void get_push_rule_actions(Services&, Call, Reply);
void put_push_rule_actions(Services&, Call, Reply);

// receipts.cc
void post_receipt(Services&, Call, Reply);
void post_read_markers(Services&, Call, Reply);

// register.cc
void register_account(Services&, Call, Reply);
void username_available(Services&, Call, Reply);

// relations.cc
void get_relations(Services&, Call, Reply);
void get_threads(Services&, Call, Reply);

// appservices.cc
void ping_appservice(Services&, Call, Reply);
void put_appservice_listed(Services&, Call, Reply);

// third_party.cc
void get_protocols(Services&, Call, Reply);
void get_protocol(Services&, Call, Reply);
void get_third_party_users(Services&, Call, Reply);
void get_third_party_locations(Services&, Call, Reply);
void find_third_party_users(Services&, Call, Reply);
void find_third_party_locations(Services&, Call, Reply);

// reports.cc
void report_room(Services&, Call, Reply);
void report_event(Services&, Call, Reply);
void report_user(Services&, Call, Reply);

// room_upgrades.cc
void upgrade_room(Services&, Call, Reply);

// search.cc
void search(Services&, Call, Reply);

// send.cc
void send_event(Services&, Call, Reply);
void redact_event(Services&, Call, Reply);
void set_state(Services&, Call, Reply);

// spaces.cc
void get_hierarchy(Services&, Call, Reply);
void get_room_summary(Services&, Call, Reply);

// state.cc
void get_state(Services&, Call, Reply);
void get_state_event(Services&, Call, Reply);
void get_members(Services&, Call, Reply);
void get_joined_members(Services&, Call, Reply);

// sync.cc
void sync(Services&, Call, Reply);

// synapse_admin.cc
void get_registration_nonce(Services&, Call, Reply);
void register_with_shared_secret(Services&, Call, Reply);

// timestamp_to_event.cc
void get_timestamp_to_event(Services&, Call, Reply);

// typing.cc
void put_typing(Services&, Call, Reply);

// user_directory.cc
void search_user_directory(Services&, Call, Reply);

// versions.cc
void get_versions(Services&, Call, Reply);
void get_capabilities(Services&, Call, Reply);

// well_known.cc
void well_known_client(Services&, Call, Reply);
void well_known_server(Services&, Call, Reply);
void well_known_support(Services&, Call, Reply);

}  // namespace skerry::homeserver::client_api
