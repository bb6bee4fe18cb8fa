#include "sandbox/doctor/doctor.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "sandbox/doctor/examination.h"
#include "sandbox/world/files.h"

namespace skerry::sandbox {

namespace {

std::string word_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::good:
      return "good";
    case Outcome::note:
      return "note";
    case Outcome::wrong:
      return "wrong";
  }
  return "";
}

}  // namespace

bool Diagnosis::healthy() const {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& finding) { return finding.outcome == Outcome::wrong; });
}

Diagnosis examine(const std::string& name, const DoctorOptions& options) {
  Diagnosis diagnosis{name, {}};
  const auto server = ServerName::parse(name);
  if (!server) {
    diagnosis.findings.push_back({"name", Outcome::wrong, "this is no server name: " + server.error().text,
                                  "A server name is a DNS name or an address, with :port where it has one."});
    return diagnosis;
  }
  diagnosis.findings.push_back({"name", Outcome::good, "a server name by its grammar", ""});
  Examination examination(*server, options, diagnosis.findings);
  examination.run();
  return diagnosis;
}

Json to_json(const Diagnosis& diagnosis) {
  Json checks = Json::array();
  for (const Finding& finding : diagnosis.findings) {
    Json check = {{"check", finding.check}, {"outcome", word_of(finding.outcome)}, {"found", finding.found}};
    if (!finding.mend.empty()) check["mend"] = finding.mend;
    checks.push_back(std::move(check));
  }
  return {{"server", diagnosis.server}, {"healthy", diagnosis.healthy()}, {"checks", std::move(checks)}};
}

std::string to_text(const Diagnosis& diagnosis) {
  std::string text = diagnosis.server + "\n";
  for (const Finding& finding : diagnosis.findings) {
    const std::string outcome = finding.outcome == Outcome::wrong ? "WRONG" : word_of(finding.outcome);
    std::string check = finding.check;
    check.resize(std::max<std::size_t>(check.size(), 12), ' ');
    text += "  " + outcome + std::string(6 - outcome.size(), ' ') + check + " " + finding.found + "\n";
    if (!finding.mend.empty()) text += "        " + std::string(12, ' ') + " -> " + finding.mend + "\n";
  }
  return without_controls(std::move(text));
}

}  // namespace skerry::sandbox
