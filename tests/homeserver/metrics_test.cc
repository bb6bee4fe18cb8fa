// GET /metrics on a listener of its own.
#include "tests/support/metrics.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/api.h"

using namespace skerry;
using namespace skerry::test;

TEST_CASE("metrics are off unless asked for") {
  HomeserverProcess server;
  CHECK(metrics_url(server).empty());
  CHECK(Api(server.url()).get("/metrics").status == 404);
}

TEST_CASE("metrics count what was asked and how long it took and what was written") {
  HomeserverOptions options;
  options.tables = metrics_table;
  HomeserverProcess server(options);
  const Api alice = Api(server.url()).register_user("alice");
  const std::string room = alice.post(std::string(v3) + "/createRoom").json.at("room_id").get<std::string>();
  const std::string path = std::string(v3) + "/rooms/" + net::percent_encode(room) + "/send/m.room.message/";
  for (int i = 0; i < 5; ++i) alice.put(path + std::to_string(i), {{"body", "counted"}});
  Api(server.url()).put(path + "6", {{"body", "without a token"}});
  Api(server.url()).get("/no/such/place");

  const Answer answer = Api(metrics_url(server)).get("/metrics");
  CHECK(answer.status == 200);
  CHECK(answer.header("Content-Type") == "text/plain; version=0.0.4");
  const std::string route = R"(method="PUT",route="/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}")";
  CHECK(sample(answer.text, "skerry_http_requests_total{" + route + R"(,status="200"})") == "5");
  CHECK(sample(answer.text, "skerry_http_requests_total{" + route + R"(,status="401"})") == "1");
  CHECK(sample(answer.text, R"(skerry_http_requests_total{method="",route="",status="404"})") == "1");
  CHECK(sample(answer.text, "skerry_http_request_seconds_count{" + route + "}") == "6");
  CHECK(sample(answer.text, "skerry_http_request_seconds_bucket{" + route + R"(,le="+Inf"})") == "6");
  CHECK(std::stoi(sample(answer.text, "skerry_commits_total")) > 5);
  CHECK(sample(answer.text, R"(skerry_commit_group_size_bucket{le="+Inf"})") ==
        sample(answer.text, "skerry_commit_group_size_count"));
  CHECK(sample(answer.text, "skerry_waiting_syncs") == "0");
  CHECK(sample(answer.text, R"(skerry_federation_pdus_total{direction="received"})") == "0");
  CHECK(sample(answer.text, R"(skerry_outbox_destinations{state="resting"})") == "0");
  CHECK(std::stoi(sample(answer.text, "skerry_open_connections")) >= 1);
  CHECK(std::stod(sample(answer.text, "process_resident_memory_bytes")) > 1e6);
  // Nobody's names.
  CHECK_THAT(answer.text, !Catch::Contains("alice") && !Catch::Contains(room) && !Catch::Contains("127.0.0.1"));

  CHECK(Api(metrics_url(server)).get("/_matrix/client/versions").status == 404);
  CHECK(server.stop() == 0);
}
