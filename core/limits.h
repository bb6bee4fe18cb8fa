// Every limit that is not configurable, with its unit and the section that sets it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace skerry::limits {

// Identifiers (appendices, 'Identifier Grammar').
inline constexpr std::size_t id_bytes = 255;
inline constexpr std::size_t server_name_bytes = 230;

// Events (client-server API, 'Size limits'; server-server API, 'PDUs').
inline constexpr std::size_t event_bytes = 65'536;
inline constexpr std::size_t event_type_bytes = 255;
inline constexpr std::size_t state_key_bytes = 255;
inline constexpr std::size_t prev_events = 20;
inline constexpr std::size_t auth_events = 10;
inline constexpr std::size_t event_key_ids = 8;                   // key ids of one signer that are looked at
inline constexpr std::size_t third_party_signature_checks = 100;  // of one third party invite (rule 5.4.1.7)
inline constexpr std::int64_t max_depth = 9'007'199'254'740'991;  // 2^53 - 1, canonical JSON's largest integer

// JSON at the edge. Events nest less, so that what wraps them (a transaction, a /sync answer) stays within json_depth.
inline constexpr std::size_t json_depth = 100;
inline constexpr std::size_t event_json_depth = 80;

// Transactions (server-server API, 'Transactions').
inline constexpr std::size_t transaction_pdus = 50;
inline constexpr std::size_t transaction_edus = 100;

// HTTP server.
inline constexpr std::size_t request_head_bytes = 16'384;
inline constexpr std::size_t request_body_bytes = 1'048'576;  // client requests
inline constexpr std::size_t federation_body_bytes =
    10 * 1'048'576;  // of a transaction: 50 PDUs and 100 EDUs of 65,536 bytes
inline constexpr std::chrono::seconds connection_idle_time{75};  // between requests
inline constexpr std::chrono::seconds request_head_time{15};     // from the first byte; also for the TLS handshake
inline constexpr std::chrono::seconds request_body_time{60};
inline constexpr std::chrono::seconds response_time{120};            // for writing one, to a peer that reads slowly
inline constexpr std::size_t slowest_peer_bytes_per_s = 32 * 1'024;  // large bodies get as much more time
inline constexpr std::size_t connections_per_listener = 16'384;
inline constexpr std::size_t connections_per_address = 512;    // an IPv4 address, or 64 bits of an IPv6 one
inline constexpr std::size_t files_not_for_connections = 512;  // of the process's: database, media, calls to others
inline constexpr std::size_t small_body_bytes = 65'536;        // what is larger counts in the next two
inline constexpr std::size_t bodies_bytes = 256 * 1'048'576;   // of requests that were not answered yet, all together
inline constexpr std::size_t bodies_bytes_per_address = 64 * 1'048'576;

// HTTP client: another server's answers.
inline constexpr std::size_t response_bytes = 4 * 1'048'576;
inline constexpr std::size_t send_join_response_bytes = 100 * 1'048'576;
inline constexpr std::size_t well_known_bytes = 51'200;
inline constexpr std::size_t redirects = 5;
inline constexpr std::chrono::seconds outbound_time{30};

// /sync, /messages.
inline constexpr std::size_t page_events = 1'000;
inline constexpr std::chrono::milliseconds sync_wait{60'000};

// Media (client-server API, 'Content repository').
inline constexpr std::size_t media_id_bytes = 255;
inline constexpr std::size_t media_type_bytes = 255;
inline constexpr std::size_t media_file_name_bytes = 1'024;
inline constexpr std::chrono::seconds media_wait{20};  // for bytes that are still awaited, if not told otherwise
inline constexpr std::chrono::seconds media_longest_wait{60};
inline constexpr std::chrono::hours media_awaited_time{24};  // from making an id to its bytes
inline constexpr std::int64_t media_awaited_per_user = 100;
inline constexpr std::size_t media_waiting_requests = 1'000;  // for bytes that are still awaited, all together
inline constexpr std::chrono::seconds media_fetch_time{120};  // for another server's media
inline constexpr int media_fetches = 8;                       // at once; each holds one of the configured size at most
inline constexpr int media_fetches_per_server = 2;
inline constexpr std::size_t media_fetches_waiting = 500;
inline constexpr std::size_t multipart_head_bytes = 16'384;  // of a part
inline constexpr std::int64_t image_pixels = 32'000'000;     // of an image that a thumbnail is made of: 128 MB decoded
inline constexpr int thumbnails_at_once = 2;
inline constexpr std::size_t thumbnails_waiting = 500;
inline constexpr std::int64_t thumbnail_longest_side = 10'000;

// Pushers (client-server API, 'Push Notifications').
inline constexpr std::size_t pushers_per_user = 50;
inline constexpr std::size_t pushkey_bytes = 512;
inline constexpr std::size_t pusher_app_id_chars = 64;
inline constexpr std::size_t pusher_text_bytes = 1'024;  // of each name, and of the gateway's URL
inline constexpr std::size_t push_response_bytes = 65'536;

// Accounts.
inline constexpr std::size_t password_bytes = 512;
inline constexpr std::size_t offered_tokens = 10;  // of a device: made by refreshing, and not used yet
inline constexpr std::size_t display_name_bytes = 256;

}  // namespace skerry::limits
