// The sandbox's DNS as a pure function: the bytes of a query in, the bytes of the answer out (RFC 1035, RFC 2782).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::sandbox {

// What is known. Names are in lower case, without the last dot.
struct Zone {
  struct Service {
    std::string target;
    std::uint16_t port = 0;
  };
  std::string apex = "test";  // its SOA goes with "no such name" and "no such data"
  std::map<std::string, std::array<std::uint8_t, 4>, std::less<>> addresses;
  std::map<std::string, Service, std::less<>> services;
};

// What is said of a server's name, whatever the zone says.
struct NameVerdict {
  enum class Answer { right, no_such_name, none, other };
  Answer answer = Answer::right;
  std::array<std::uint8_t, 4> address{};  // for `other`
};
// Asked with the name of a server, also when the question is about one of its services (_matrix-fed._tcp.NAME).
using NameJudge = std::function<NameVerdict(const std::string& name)>;

inline constexpr std::chrono::seconds dns_lifetime{1};  // TTL of all answers
inline constexpr std::size_t dns_query_bytes = 512;     // longer queries are no use here: one question, perhaps EDNS

// The answer to a query from the network, or nothing for what deserves none (answers, fragments of a header). A and SRV
// come from the zone; another type of a known name is "no data", so AAAA is at once; an unknown name is NXDOMAIN. A
// judge may deny a known name, be silent about it, or give it another address. What cannot be parsed is FORMERR, other
// operations NOTIMP, other classes REFUSED.
std::optional<std::string> answer_dns_query(std::string_view query_untrusted, const Zone& zone,
                                            const NameJudge& judge = {});

}  // namespace skerry::sandbox
