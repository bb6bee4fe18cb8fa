// DNS: queries that reach the sandbox's server, and answers that reach the resolver.
#include <arpa/inet.h>

#include "net/dns_impl.h"
#include "sandbox/world/dns_message.h"
#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

namespace {

void read_answer(const std::uint8_t* message, std::size_t size) {
  for (const int family : {AF_INET, AF_INET6}) {
    const auto answer = net::read_addresses(family, message, static_cast<int>(size));
    must_hold(answer.addresses.size() <= 64, "records are bounded");
    for (const std::string& address : answer.addresses) {
      in6_addr bytes{};
      must_hold(inet_pton(family, address.c_str(), &bytes) == 1, "an address is an address");
    }
  }
  const auto services = net::read_services(message, static_cast<int>(size));
  must_hold(services.targets.size() <= 64 && services.ttl_s >= 0, "records are bounded");
  must_hold(net::in_order(services.targets).size() == services.targets.size(), "ordering loses nobody");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* zone = [] {
    auto* made = new sandbox::Zone;
    made->addresses["alpha.test"] = {127, 1, 100, 1};
    made->addresses["bravo.test"] = {127, 1, 100, 2};
    made->services["_matrix-fed._tcp.alpha.test"] = {"alpha.test", 18'448};
    return made;
  }();
  if (size > 65'535) return 0;
  read_answer(data, size);
  (void)net::smallest_ttl_s(data, size);
  const auto answer = sandbox::answer_dns_query(test::text_of(data, size), *zone);
  if (!answer) return 0;
  must_hold(answer->size() >= 12 && answer->size() <= 1'024, "an answer has a head and a bound");
  must_hold(size >= 2 && answer->substr(0, 2) == test::text_of(data, 2), "an answer bears the query's id");
  must_hold((static_cast<unsigned char>((*answer)[2]) & 0x80) != 0, "an answer is marked as one");
  read_answer(reinterpret_cast<const std::uint8_t*>(answer->data()), answer->size());
  return 0;
}
