#include "homeserver/sync/receipts.h"

#include <map>

#include <nlohmann/json.hpp>

namespace skerry::homeserver {

std::vector<Json> receipt_contents(const std::vector<storage::Receipt>& receipts) {
  std::map<std::string, Json> by_thread;
  for (const storage::Receipt& receipt : receipts) {
    Json data = {{"ts", receipt.ts_ms}};
    if (!receipt.thread_id.empty()) data["thread_id"] = receipt.thread_id;
    by_thread[receipt.thread_id][receipt.event.str()][receipt.type][receipt.user.str()] = std::move(data);
  }
  std::vector<Json> contents;
  for (auto& [thread, content] : by_thread) contents.push_back(std::move(content));
  return contents;
}

}  // namespace skerry::homeserver
