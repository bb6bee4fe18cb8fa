#include "tests/support/town.h"

#include <stdexcept>

namespace skerry::test {

namespace {

constexpr const char* srv_prefix = "_matrix-fed._tcp.";

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return *std::move(result);
}

}  // namespace

Town::Town()
    : authority_(must(net::CertificateAuthority::create("town", net::system_clock().now_ms(), 1))),
      dns_([this](const std::string& name, std::uint16_t type) { return answer_dns(name, type); }) {
  write_file(folder_.path() + "/ca.pem", authority_.certificate_pem());
  // A wildcard needs two labels behind it: every name here is under town.test.
  web_ = serve({"*.town.test"}, [this](const net::HttpRequest& request, net::Responder responder) {
    responder.respond(answer_web(request));
  });
}

Town::~Town() {
  web_.reset();
  io_.stop();
}

std::unique_ptr<HomeserverProcess> Town::homeserver(const std::string& name, HomeserverOptions options) {
  const auto identity = must(authority_.issue({name}, {}, net::system_clock().now_ms(), 1));
  const std::string certificate = folder_.path() + "/" + name + ".pem";
  const std::string key = folder_.path() + "/" + name + ".key";
  write_file(certificate, identity.certificate_pem);
  write_file(key, identity.key_pem);
  options.server_name = name;
  options.tables += "[[listeners]]\naddress = \"127.0.0.1\"\nport = 0\ntls = true\ncertificate_file = \"" +
                    certificate + "\"\nkey_file = \"" + key + "\"\n[federation]\nsystem_store = false\nca_files = [\"" +
                    folder_.path() + "/ca.pem\"]\nallowed_private_ranges = [\"127.0.0.1/32\"]\n" +
                    "backoff_first_ms = 50\nbackoff_max_ms = 500\n[discovery]\nresolver = [\"" + dns_.place() +
                    "\"]\nhttps_port = " + std::to_string(web_->port(0)) + "\n";
  auto process = std::make_unique<HomeserverProcess>(std::move(options));
  is_at(name, process->port(1));
  return process;
}

std::unique_ptr<net::HttpServer> Town::serve(const std::vector<std::string>& certificate_names, Handler handler,
                                             const std::string& address) {
  net::HttpServerOptions options;
  net::Listener listener{address, 0, {}};
  listener.tls = must(authority_.issue(certificate_names, {address}, net::system_clock().now_ms(), 1));
  options.listeners = {listener};
  options.body_limit = [](const net::HttpRequest&) { return std::size_t{20'000'000}; };
  options.error_response = [](int status) { return net::HttpResponse{status, {}, "{}"}; };
  return must(net::HttpServer::start(io_, std::move(options), std::move(handler)));
}

void Town::is_at(const std::string& name, std::uint16_t port) {
  const std::scoped_lock lock(mutex_);
  ports_[name] = port;
}

void Town::has_address(const std::string& name, const std::string& address) {
  const std::scoped_lock lock(mutex_);
  addresses_[name] = address;
}

void Town::well_known(const std::string& name, std::function<net::HttpResponse()> answer) {
  const std::scoped_lock lock(mutex_);
  sites_[name] = std::move(answer);
}

std::optional<net::FakeDns::Answer> Town::answer_dns(const std::string& name, std::uint16_t type) {
  const std::scoped_lock lock(mutex_);
  net::FakeDns::Answer answer;
  answer.ttl_s = 1;
  if (type == net::dns_a) {
    const auto found = addresses_.find(name);
    answer.record_data = {net::FakeDns::a(found == addresses_.end() ? "127.0.0.1" : found->second.c_str())};
  }
  if (type != net::dns_srv) return answer;
  const bool prefixed = name.starts_with(srv_prefix);
  const auto found = prefixed ? ports_.find(name.substr(std::string_view(srv_prefix).size())) : ports_.end();
  if (found == ports_.end()) {
    answer.rcode = 3;
  } else {
    answer.record_data = {net::FakeDns::srv(0, 0, found->second, found->first)};
  }
  return answer;
}

net::HttpResponse Town::answer_web(const net::HttpRequest& request) {
  const std::string host = net::find_header(request.headers, "Host").value_or("");
  const std::scoped_lock lock(mutex_);
  const auto found = sites_.find(host.substr(0, host.find(':')));
  return found == sites_.end() ? net::HttpResponse{404, {}, "{}"} : found->second();
}

}  // namespace skerry::test
