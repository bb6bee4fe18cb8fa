// What net/*.cc see of Io. Not for other folders.
#pragma once

#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "net/io.h"

namespace skerry::net {

struct Io::Impl {
  explicit Impl(int thread_count) : context(thread_count), work(boost::asio::make_work_guard(context)) {}

  boost::asio::io_context context;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
  std::vector<std::thread> threads;
  std::optional<boost::asio::signal_set> signals;
  std::once_flag stopped;
};

}  // namespace skerry::net
