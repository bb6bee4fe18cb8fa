// What handlers work with: one of each per process, made in server.cc, which outlives every request.
#pragma once

#include "federation/client.h"
#include "federation/key_ring.h"
#include "federation/outbox.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/appservices/appservices.h"
#include "homeserver/appservices/client.h"
#include "homeserver/appservices/queries.h"
#include "homeserver/appservices/sender.h"
#include "homeserver/config.h"
#include "homeserver/federation_api/transactions.h"
#include "homeserver/media/repository.h"
#include "homeserver/rooms/membership.h"
#include "homeserver/rooms/pipeline.h"
#include "homeserver/rooms/reader.h"
#include "homeserver/sync/notifier.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/presence_news.h"
#include "homeserver/sync/sync_builder.h"
#include "homeserver/sync/typing.h"
#include "net/runtime.h"
#include "net/worker_pool.h"
#include "storage/database.h"

namespace skerry::homeserver {

class Metrics;
class RateLimiter;
class RegistrationNonces;
class UserInteractiveAuth;

struct Services {
  const Config& config;
  net::Clock& clock;
  net::Random& random;
  net::Scheduler& scheduler;
  net::WorkerPool& local;
  net::WorkerPool& outbound;
  net::WorkerPool& federation_pool;
  storage::Database& database;
  federation::FederationClient& federation;
  federation::KeyRing& keys;
  federation::Outbox& outbox;
  Accounts& accounts;
  UserInteractiveAuth& user_interactive_auth;
  MediaRepository& media;
  RateLimiter& rate_limiter;
  RoomReader& reader;
  RoomPipeline& pipeline;
  MembershipService& membership;
  Notifier& notifier;
  Typing& typing;
  Presence& presence;
  PresenceNews& presence_news;
  UnreadCounter& unread;
  SyncBuilder& sync;
  RegistrationNonces& registration_nonces;
  const Appservices& appservices;
  AppserviceClient& appservice_client;
  AppserviceQueries& appservice_queries;
  AppserviceSender& appservice_sender;
  federation_api::Transactions& transactions;
  Metrics* metrics;  // null when nobody wants to know
};

}  // namespace skerry::homeserver
