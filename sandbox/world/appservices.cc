#include "sandbox/world/appservices.h"

#include <algorithm>
#include <filesystem>

#include "homeserver/appservices/appservices.h"
#include "net/http.h"
#include "sandbox/world/files.h"
#include "sandbox/world/names.h"

namespace skerry::sandbox {

namespace {

std::string folder_of(const Folder& folder, const std::string& server) {
  return folder.server(server) + "/appservices";
}

// Its place, named after its id. Errors: as of reading it.
Result<std::string> place_of(const Folder& folder, const GivenAppservice& given) {
  auto registration = homeserver::read_appservice_registration(given.file);
  if (!registration) return tl::make_unexpected(registration.error());
  return folder_of(folder, given.server) + "/" + net::percent_encode(registration->id).substr(0, 200) + ".yaml";
}

}  // namespace

Result<GivenAppservice> parse_appservice(const std::vector<std::string>& known, const std::string& typed) {
  GivenAppservice given{known.front(), typed};
  const auto equals = typed.find('=');
  // A file whose name has a "=" is taken for one, unless that names a server.
  if (equals != std::string::npos && !std::filesystem::exists(typed)) {
    auto server = find_server(known, typed.substr(0, equals));
    if (!server) return tl::make_unexpected(server.error());
    given = {std::move(*server), typed.substr(equals + 1)};
  }
  auto good = homeserver::Appservices::read({given.file}, *ServerName::parse(given.server));
  if (!good) return tl::make_unexpected(good.error());
  return given;
}

Result<void> keep_appservices(const Folder& folder, const std::vector<GivenAppservice>& given) {
  for (const GivenAppservice& one : given) {
    auto place = place_of(folder, one);
    if (!place) return tl::make_unexpected(place.error());
    auto text = read_file(one.file);
    if (!text) return tl::make_unexpected(text.error());
    if (auto made = make_folder(folder_of(folder, one.server)); !made) return made;
    if (auto written = write_file(*place, *text); !written) return written;
  }
  return {};
}

bool is_kept(const Folder& folder, const GivenAppservice& given) {
  const auto place = place_of(folder, given);
  const auto kept = place ? read_file(*place) : place;
  const auto text = read_file(given.file);
  return kept && text && *kept == *text;
}

std::vector<std::string> kept_appservices(const Folder& folder, const std::string& server) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_of(folder, server), error)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace skerry::sandbox
