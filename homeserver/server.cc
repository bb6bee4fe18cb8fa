#include "homeserver/server.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "homeserver/accounts/registration_nonces.h"
#include "homeserver/accounts/user_interactive_auth.h"
#include "homeserver/client_api/sessions.h"
#include "homeserver/dispatch.h"
#include "homeserver/metrics.h"
#include "homeserver/rate_limiter.h"
#include "homeserver/services.h"
#include "homeserver/signing_key.h"
#include "homeserver/steering.h"
#include "net/http_server.h"
#include "net/log.h"

namespace skerry::homeserver {

namespace {

constexpr int io_threads = 2;
constexpr int local_threads = 4;
constexpr int outbound_threads = 64;
constexpr int federation_threads = 4;
constexpr int turn_threads = 4;
constexpr std::size_t queued_calls = 4'096;
constexpr std::size_t queued_turns = 65'536;

net::ResolverOptions resolver_options(const Config& config) {
  net::ResolverOptions options;
  options.servers = config.federation.resolver;
  return options;
}

net::HttpClientOptions client_options(const Config& config) {
  net::HttpClientOptions options;
  options.trust.system_store = config.federation.system_store;
  options.trust.ca_files = config.federation.ca_files;
  // read_config() has seen that the ranges are good.
  if (auto policy = net::AddressPolicy::make(config.federation.allowed_private_ranges)) options.policy = *policy;
  options.bind_address = config.federation.bind_address;
  return options;
}

net::HttpClientOptions appservice_options(const Config& config) {
  net::HttpClientOptions options;
  options.trust.system_store = config.federation.system_store;
  options.trust.ca_files = config.federation.ca_files;
  options.policy = net::AddressPolicy::allow_all();
  return options;
}

federation::DiscoveryOptions discovery_options(const Config& config) {
  federation::DiscoveryOptions options;
  options.https_port = config.federation.https_port;
  return options;
}

// `steering` may be null.
federation::BackoffOptions backoff_options(const Config& config, Steering* steering) {
  federation::BackoffOptions options{config.federation.backoff_first, config.federation.backoff_max};
  if (steering != nullptr) options.other_max_ms = [steering] { return steering->backoff_max_ms(); };
  return options;
}

Result<std::vector<net::Listener>> listeners_of(const Config& config) {
  std::vector<net::Listener> listeners;
  for (const ListenerConfig& one : config.listeners) {
    net::Listener listener;
    listener.address = one.address;
    listener.port = one.port;
    if (one.tls) {
      auto identity = net::read_tls_identity(one.certificate_file, one.key_file);
      if (!identity) return tl::make_unexpected(identity.error());
      listener.tls = std::move(*identity);
    }
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

Result<void> make_folder(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  if (!std::filesystem::create_directories(folder, error) || ::chmod(folder.c_str(), 0700) != 0) {
    return fail(ErrorCode::storage, folder + ": " + (error ? error.message() : std::strerror(errno)));
  }
  return {};
}

}  // namespace

struct Server::Impl {
  Impl(Config given, Appservices read, std::unique_ptr<storage::Database> opened, SigningKey key,
       std::unique_ptr<Steering> steered);

  Result<void> begin_appservices();
  Result<void> listen(std::vector<net::Listener> listeners);
  Result<void> listen_for_metrics();
  void write_listeners() const;
  void stop(std::chrono::milliseconds grace);

  const Config config;
  const Appservices appservices;
  const std::unique_ptr<Steering> steering;  // null when nobody steers
  SteeredClock clock;
  net::Io io;
  net::WorkerPool local{"local", local_threads, queued_calls};
  net::WorkerPool outbound{"outbound", outbound_threads, queued_calls};
  net::WorkerPool federation_pool{"federation", federation_threads, queued_calls};
  net::WorkerPool turns{"turns", turn_threads, queued_turns};
  std::unique_ptr<storage::Database> database;
  net::Resolver resolver;
  net::HttpClient http_client;
  net::HttpClient appservice_http;  // to where the operator says that they are
  federation::Discovery discovery;
  federation::FederationClient federation;
  federation::KeyRing keys;
  federation::Outbox outbox;
  Accounts accounts;
  UserInteractiveAuth user_interactive_auth;
  MediaRepository media;
  RegistrationNonces registration_nonces;
  RateLimiter rate_limiter;
  RoomReader reader;
  Notifier notifier;
  Typing typing;
  PresenceNews presence_news;
  Presence presence;
  UnreadCounter unread;
  SyncBuilder sync;
  std::unique_ptr<RemoteRooms> remote_rooms;
  PipelineContext pipeline_context;
  std::unique_ptr<RoomPipeline> pipeline;
  MembershipService membership;
  federation_api::Transactions transactions;
  AppserviceClient appservice_client;
  AppserviceQueries appservice_queries;
  AppserviceSender appservice_sender;
  std::unique_ptr<Metrics> metrics;  // null when nobody wants to know
  Services services;
  Dispatcher dispatcher;
  std::unique_ptr<net::HttpServer> http;
  std::unique_ptr<net::HttpServer> metrics_http;
  std::once_flag stopped;
};

Server::Impl::Impl(Config given, Appservices read, std::unique_ptr<storage::Database> opened, SigningKey key,
                   std::unique_ptr<Steering> steered)
    : config(std::move(given)),
      appservices(std::move(read)),
      steering(std::move(steered)),
      clock(steering.get()),
      io(io_threads),
      database(std::move(opened)),
      resolver(io, resolver_options(config)),
      http_client(io, resolver, client_options(config)),
      appservice_http(io, resolver, appservice_options(config)),
      discovery(http_client, resolver, clock, discovery_options(config)),
      federation(http_client, discovery, clock, config.server_name, key, backoff_options(config, steering.get())),
      keys(federation, database->federation(), clock, local, config.server_name, key, config.federation.notaries),
      outbox(federation, database->federation(), io, local, clock, config.server_name,
             backoff_options(config, steering.get())),
      accounts(database->accounts(), clock, net::system_random(), config.server_name, config.passwords,
               config.sessions),
      user_interactive_auth(accounts, clock, net::system_random(), config.server_name),
      media({config.server_name, config.data_folder + "/media", config.media, database->media(), federation,
             http_client, outbound, io, clock, net::system_random()}),
      registration_nonces(clock, net::system_random()),
      rate_limiter(clock, config.rate_limits),
      reader(*database, config.server_name),
      typing(database->stream(), io,
             [this](const RoomId& room, storage::StreamPosition position) {
               // Who is in the room is read from the store: not on the thread of a timer.
               (void)local.post([this, room, position] {
                 if (auto users = database->rooms().joined_local_users(room)) notifier.notify(position, *users);
               });
             }),
      presence_news(*database, notifier, outbox, local, clock, config.server_name),
      presence(database->stream(), io, clock, config.server_name, config.presence,
               [this](PresenceChange change) { presence_news.tell(presence, std::move(change)); }),
      unread(*database, reader),
      sync(*database, reader, typing, presence, unread),
      remote_rooms(make_remote_rooms(federation, keys)),
      pipeline_context{config.server_name,
                       key,
                       *database,
                       *remote_rooms,
                       clock,
                       net::system_random(),
                       turns,
                       outbound,
                       [this](storage::StreamPosition position, const std::vector<UserId>& users, const RoomId&) {
                         notifier.notify(position, users);
                       },
                       [this](const std::vector<ServerName>& servers) { outbox.wake(servers); }},
      pipeline(std::make_unique<RoomPipeline>(pipeline_context)),
      membership(pipeline_context, *pipeline, reader),
      appservice_client(appservice_http, clock),
      appservice_queries(appservices, appservice_client, *database),
      appservice_sender({appservices, appservice_client, *database, typing, presence, io, local, clock,
                         net::system_random(), backoff_options(config, steering.get())}),
      metrics(config.metrics.address.empty() ? nullptr : std::make_unique<Metrics>()),
      services{config,
               clock,
               net::system_random(),
               io,
               local,
               outbound,
               federation_pool,
               *database,
               federation,
               keys,
               outbox,
               accounts,
               user_interactive_auth,
               media,
               rate_limiter,
               reader,
               *pipeline,
               membership,
               notifier,
               typing,
               presence,
               presence_news,
               unread,
               sync,
               registration_nonces,
               appservices,
               appservice_client,
               appservice_queries,
               appservice_sender,
               transactions,
               metrics.get()},
      dispatcher(services) {
  database->stream().on_advance([this](storage::StreamPosition position) {
    notifier.advance_to(position);
    appservice_sender.wake();
  });
  notifier.advance_to(database->stream().current());
  // Who waits with a token finds out at once that it stands for nothing any more.
  accounts.on_change([this](const UserId& user) { notifier.notify(database->stream().current(), {user}); });
}

// Their own users are there before anybody can ask for them.
Result<void> Server::Impl::begin_appservices() {
  for (const auto& appservice : appservices.all()) {
    auto exists = database->accounts().user_exists(appservice->sender());
    if (!exists) return tl::make_unexpected(exists.error());
    if (*exists) continue;
    if (auto made = client_api::create_passwordless_account(services, appservice->sender()); !made) return made;
  }
  return appservice_sender.start();
}

Result<void> Server::Impl::listen(std::vector<net::Listener> listeners) {
  net::HttpServerOptions options;
  options.listeners = std::move(listeners);
  options.clock = &clock;
  options.connections_per_address = config.connections_per_address;
  options.body_limit = [this](const net::HttpRequest& head) { return dispatcher.body_limit(head); };
  // One upload of the largest size fits, whatever that is.
  const auto upload = static_cast<std::size_t>(config.media.max_bytes);
  options.bodies_bytes = std::max(options.bodies_bytes, 2 * upload);
  options.bodies_bytes_per_address = std::max(options.bodies_bytes_per_address, upload);
  options.error_response = Dispatcher::error_response;
  auto started =
      net::HttpServer::start(io, std::move(options), [this](net::HttpRequest request, net::Responder responder) {
        dispatcher.handle(std::move(request), std::move(responder));
      });
  if (!started) return tl::make_unexpected(started.error());
  http = std::move(*started);
  return {};
}

Result<void> Server::Impl::listen_for_metrics() {
  if (!metrics) return {};
  net::HttpServerOptions options;
  options.listeners = {{config.metrics.address, config.metrics.port, {}}};
  options.body_limit = [](const net::HttpRequest&) { return std::size_t{0}; };
  options.error_response = [](int status) { return net::HttpResponse{status, {}, ""}; };
  auto started =
      net::HttpServer::start(io, std::move(options), [this](const net::HttpRequest& request, net::Responder responder) {
        if (net::split_target(request.target).path != "/metrics") return responder.respond({404, {}, ""});
        responder.respond(
            {200, {{"Content-Type", "text/plain; version=0.0.4"}}, metrics->text(services, http->connections())});
      });
  if (!started) return tl::make_unexpected(started.error());
  metrics_http = std::move(*started);
  return {};
}

void Server::Impl::write_listeners() const {
  Json list = Json::array();
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const ListenerConfig& listener = config.listeners[i];
    list.push_back({{"address", listener.address}, {"port", http->port(i)}, {"tls", listener.tls}});
    log::info("main", "listening on " + listener.address + ":" + std::to_string(http->port(i)) +
                          (listener.tls ? " by HTTPS" : " by HTTP"));
  }
  const std::string file = config.data_folder + "/listeners.json";
  Json written = {{"pid", ::getpid()}, {"listeners", std::move(list)}};
  if (metrics_http) {
    written["metrics"] = {{"address", config.metrics.address}, {"port", metrics_http->port(0)}};
    log::info("main", "metrics at " + config.metrics.address + ":" + std::to_string(metrics_http->port(0)));
  }
  std::ofstream(file + ".new") << dump(written) << "\n";
  std::error_code error;
  std::filesystem::rename(file + ".new", file, error);
  if (error) log::warn("main", file + ": " + error.message());
}

void Server::Impl::stop(std::chrono::milliseconds grace) {
  std::call_once(stopped, [&] {
    notifier.close();
    media.close();
    metrics_http.reset();
    if (http) {
      http->stop(grace);
      std::error_code ignored;
      std::filesystem::remove(config.data_folder + "/listeners.json", ignored);
    }
    http.reset();
    outbox.stop();
    appservice_sender.stop();
    appservice_http.close();
    http_client.close();  // whoever waits for another server goes on
    outbound.stop();
    local.stop();
    federation_pool.stop();
    pipeline.reset();
    turns.stop();
    io.stop();  // after this no callback touches a store
    database.reset();
  });
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { stop(std::chrono::milliseconds(0)); }

Result<std::unique_ptr<Server>> Server::start(Config config, const std::string& steering_file) {
  auto listeners = listeners_of(config);
  if (!listeners) return tl::make_unexpected(listeners.error());
  auto appservices = Appservices::read(config.appservice_registrations, config.server_name);
  if (!appservices) return tl::make_unexpected(appservices.error());
  if (auto made = make_folder(config.data_folder); !made) return tl::make_unexpected(made.error());
  auto database = storage::open_sqlite(config.data_folder, config.server_name);
  if (!database) return tl::make_unexpected(database.error());
  auto key = read_or_create_signing_key(config.signing_key_file, net::system_random());
  if (!key) return tl::make_unexpected(key.error());
  std::unique_ptr<Steering> steering;
  if (!steering_file.empty()) {
    auto opened = Steering::open(steering_file);
    if (!opened) return tl::make_unexpected(opened.error());
    steering = std::move(*opened);
  }
  std::unique_ptr<Server> server(new Server(std::make_unique<Impl>(
      std::move(config), std::move(*appservices), std::move(*database), std::move(*key), std::move(steering))));
  if (auto begun = server->impl_->begin_appservices(); !begun) return tl::make_unexpected(begun.error());
  if (auto listening = server->impl_->listen(std::move(*listeners)); !listening) {
    return tl::make_unexpected(listening.error());
  }
  if (auto listening = server->impl_->listen_for_metrics(); !listening) {
    return tl::make_unexpected(listening.error());
  }
  server->impl_->outbox.start();
  server->impl_->write_listeners();
  return server;
}

std::uint16_t Server::port(std::size_t listener) const { return impl_->http->port(listener); }

void Server::on_termination(std::function<void(int)> on_signal) { impl_->io.on_termination(std::move(on_signal)); }

void Server::stop(std::chrono::milliseconds grace) { impl_->stop(grace); }

Result<void> check_files(const Config& config) {
  if (auto listeners = listeners_of(config); !listeners) return tl::make_unexpected(listeners.error());
  auto appservices = Appservices::read(config.appservice_registrations, config.server_name);
  if (!appservices) return tl::make_unexpected(appservices.error());
  for (const std::string& file : config.federation.ca_files) {
    if (!std::ifstream(file)) return fail(ErrorCode::storage, file + ": cannot be read");
  }
  return {};
}

}  // namespace skerry::homeserver
