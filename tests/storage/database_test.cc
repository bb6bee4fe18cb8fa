#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

namespace {

std::string refusal(const Stores& stores) {
  const auto opened = stores.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::storage);
  return opened.error().text;
}

// Writes a big-endian number into the header of the database file, which its format fixes.
void write_header(const Stores& stores, std::streamoff at, unsigned number) {
  std::fstream file(stores.folder() + "/homeserver.db", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  for (const int shift : {24, 16, 8, 0}) file.put(static_cast<char>(number >> shift));
  REQUIRE(file.good());
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

}  // namespace

TEST_CASE("a second server on the same folder is refused with a clear sentence") {
  Stores stores;
  stores.open();
  CHECK_THAT(refusal(stores), Catch::Contains("in use by another server"));
  stores.close();
  stores.open();
}

TEST_CASE("a database made by a newer program is refused") {
  Stores stores;
  stores.open();
  stores.close();
  write_header(stores, 60, 9'999);
  CHECK_THAT(refusal(stores), Catch::Contains("newer version of this program") && Catch::Contains("9999"));
}

TEST_CASE("a database of another program is refused") {
  Stores stores;
  stores.open();
  stores.close();
  write_header(stores, 68, 12345);
  CHECK_THAT(refusal(stores), Catch::Contains("another program"));
}

TEST_CASE("a file that is no database is refused and left alone") {
  Stores stores;
  std::filesystem::create_directories(stores.folder());
  const std::string text = "this is a letter, not a database\n";
  std::ofstream(stores.folder() + "/homeserver.db") << text;
  CHECK_THAT(refusal(stores), Catch::Contains("not a database"));
  std::ifstream file(stores.folder() + "/homeserver.db");
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == text);
}

TEST_CASE("a folder that cannot be made or written is reported") {
  Stores stores;
  std::ofstream(stores.folder()) << "a file where the folder should be";
  CHECK_THAT(refusal(stores), Catch::Contains(stores.folder()));
}

TEST_CASE("folder and files are for their owner only") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  CHECK(mode_of(stores.folder()) == 0700);
  for (const auto& entry : std::filesystem::directory_iterator(stores.folder())) {
    INFO(entry.path());
    CHECK(mode_of(entry.path()) == 0600);
  }
}

}  // namespace skerry::test
