// One direction of a relayed connection. Not for other folders.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "net/relay.h"

namespace skerry::net {

// Carries what comes from one socket to another. Unhindered bytes go straight from the read buffer; else they wait in
// order, a bounded number of them. Everything runs on the sockets' strand.
class Flow {
 public:
  using Steady = std::chrono::steady_clock;

  // The connection that a flow belongs to.
  struct Owner {
    std::function<void()> failed;   // it is to be reset
    std::function<void()> settled;  // nothing more will come; or, later, everything went on
    std::atomic<std::uint64_t>* bytes = nullptr;
  };

  Flow(boost::asio::ip::tcp::socket& from, boost::asio::ip::tcp::socket& to)
      : from_(from), to_(to), timer_(from.get_executor()) {}

  // `keep` is what owns the flow: it is held while an operation is under way.
  void start(std::weak_ptr<void> keep, Owner owner, FlowRules rules) {
    keep_ = std::move(keep);
    owner_ = std::move(owner);
    rules_ = std::move(rules);
    started_ = true;
    read();
  }

  void update(FlowRules rules) {
    if (rules.tallies != rules_.tallies) counted_ = false;
    rules_ = std::move(rules);
    if (!started_) return;
    timer_.cancel();
    drain();
    read();
  }

  void stop() {
    timer_.cancel();
    started_ = false;
  }

  bool ended() const { return ended_; }
  bool done() const { return ended_ && pieces_.empty() && !writing_; }
  bool stalled() const { return rules_.stalled; }

 private:
  static constexpr std::size_t buffer_bytes = 16 * 1'024;
  static constexpr std::size_t most_held_bytes = 1'048'576;

  struct Piece {
    enum class Kind { bytes, end, failure };
    Kind kind = Kind::bytes;
    Steady::time_point arrived;
    double share_of_jitter = 0;
    std::string bytes;
    std::size_t written = 0;
  };

  // How much may wait here: what is on its way for the latency, and one buffer.
  std::size_t room() const {
    const auto delay = rules_.latency + rules_.jitter;
    if (delay.count() == 0) return buffer_bytes;
    if (rules_.bytes_per_second == 0) return most_held_bytes;
    const auto on_the_way = rules_.bytes_per_second * static_cast<std::uint64_t>(delay.count()) / 1'000;
    return static_cast<std::size_t>(std::min<std::uint64_t>(most_held_bytes, buffer_bytes + on_the_way));
  }

  void read() {
    if (!started_ || reading_ || ended_ || held_ >= room() || direct_) return;
    reading_ = true;
    from_.async_read_some(boost::asio::buffer(buffer_),
                          [this, keep = keep_.lock()](boost::system::error_code error, std::size_t size) {
                            reading_ = false;
                            if (started_) take(error, size);
                          });
  }

  void take(boost::system::error_code error, std::size_t size) {
    if (error) return take_end(error == boost::asio::error::eof);
    *owner_.bytes += size;
    count(size);
    if (!rules_.hinder() && pieces_.empty() && !writing_) return pass_on(size);
    hold(Piece::Kind::bytes, std::string(buffer_.data(), size));
    drain();
    read();
  }

  void take_end(bool orderly) {
    ended_ = true;
    if (!rules_.hinder() && !orderly) return owner_.failed();
    hold(orderly ? Piece::Kind::end : Piece::Kind::failure, {});
    drain();
    if (started_) owner_.settled();
  }

  void count(std::size_t size) {
    for (const auto& tally : rules_.tallies) {
      if (!counted_) ++tally->connections;
      tally->bytes += size;
    }
    counted_ = true;
  }

  void hold(Piece::Kind kind, std::string bytes) {
    thread_local std::minstd_rand dice{std::random_device{}()};
    held_ += bytes.size();
    pieces_.push_back({kind, Steady::now(), std::uniform_real_distribution<double>()(dice), std::move(bytes), 0});
  }

  void pass_on(std::size_t size) {
    writing_ = direct_ = true;
    boost::asio::async_write(to_, boost::asio::buffer(buffer_.data(), size),
                             [this, keep = keep_.lock()](boost::system::error_code error, std::size_t) {
                               writing_ = direct_ = false;
                               if (!started_) return;
                               if (error) return owner_.failed();
                               drain();
                               read();
                             });
  }

  Steady::time_point due(const Piece& piece) const {
    const auto jitter = std::chrono::duration_cast<Steady::duration>(rules_.jitter * piece.share_of_jitter);
    const auto time = piece.arrived + rules_.latency + jitter;
    return rules_.bytes_per_second == 0 ? time : std::max(time, free_at_);
  }

  // Lets go what is due, from the front.
  void drain() {
    if (writing_ || pieces_.empty() || rules_.stalled) return;
    Piece& piece = pieces_.front();
    if (const auto time = due(piece); time > Steady::now()) return drain_at(time);
    if (piece.kind == Piece::Kind::failure) return owner_.failed();
    if (piece.kind == Piece::Kind::end) {  // a half-close goes on as one
      pieces_.pop_front();
      boost::system::error_code ignored;
      to_.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
      return owner_.settled();
    }
    const std::size_t size = std::min(piece.bytes.size() - piece.written, portion());
    writing_ = true;
    boost::asio::async_write(to_, boost::asio::buffer(piece.bytes.data() + piece.written, size),
                             [this, size, keep = keep_.lock()](boost::system::error_code error, std::size_t) {
                               writing_ = false;
                               if (!started_) return;
                               if (error) return owner_.failed();
                               wrote(size);
                             });
  }

  void drain_at(Steady::time_point time) {
    timer_.expires_at(time);
    timer_.async_wait([this, keep = keep_.lock()](boost::system::error_code error) {
      if (!error && started_) drain();
    });
  }

  // At a limited rate bytes trickle, instead of coming in blocks with long pauses.
  std::size_t portion() const {
    if (rules_.bytes_per_second == 0) return most_held_bytes;
    return static_cast<std::size_t>(std::max<std::uint64_t>(rules_.bytes_per_second / 20, 1));
  }

  void wrote(std::size_t size) {
    Piece& piece = pieces_.front();
    piece.written += size;
    held_ -= size;
    if (rules_.bytes_per_second > 0) {
      const std::chrono::duration<double> takes(static_cast<double>(size) /
                                                static_cast<double>(rules_.bytes_per_second));
      free_at_ = std::max(free_at_, Steady::now()) + std::chrono::duration_cast<Steady::duration>(takes);
    }
    if (piece.written == piece.bytes.size()) pieces_.pop_front();
    drain();
    read();
  }

  boost::asio::ip::tcp::socket& from_;
  boost::asio::ip::tcp::socket& to_;
  boost::asio::steady_timer timer_;
  std::weak_ptr<void> keep_;
  Owner owner_;
  FlowRules rules_;
  bool started_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool direct_ = false;  // the read buffer is being written
  bool ended_ = false;
  bool counted_ = false;  // this connection, by these tallies
  std::size_t held_ = 0;
  std::deque<Piece> pieces_;
  Steady::time_point free_at_;
  std::array<char, buffer_bytes> buffer_{};
};

}  // namespace skerry::net
