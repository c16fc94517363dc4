// SPDX-License-Identifier: BSL-1.0

// Nodes of one program whose connections are pipes in memory in place of sockets, so that a world of the explorer runs them.
#pragma once

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/error.hpp>
#include <asio/ip/address_v4.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace pipes {

// A connection: what waits to be read by each of its two ends. Used on one thread.
struct wire {
  struct end {
    std::string unread;
    asio::steady_timer* waiting = nullptr;
    bool is_closed = false;

    void wake() const {
      if (waiting) {
        waiting->cancel();
      }
    }
  };

  end& at(std::size_t side) { return ends[side]; }

  // What is on its way is lost, and both ends read the end.
  void cut() {
    for (end& each : ends) {
      each.is_closed = true;
      each.unread.clear();
      each.wake();
    }
  }

  std::array<end, 2> ends; // that of who has connected first
};

// Where the nodes are. Lives as long as their contexts.
class network {
 public:
  using endpoint = asio::ip::tcp::endpoint;

  network() = default;
  network(const network&) = delete;
  network& operator=(const network&) = delete;

  // What a node is opened with that is reached by pipes.
  otpp::dist::node_options options(std::string name, asio::any_io_executor executor) {
    auto number = static_cast<std::uint16_t>(places_.size());
    places_.push_back({name, executor, {}, {}});
    otpp::dist::node_options how(std::move(name));
    how.cookie("secret").no_epmd().no_listen().on(std::move(executor));
    how.resolver([this](std::string peer) { return find(*this, std::move(peer)); });
    how.transport(otpp::detail::access::make<otpp::dist::transport>(
        otpp::detail::transport_maker([this, number](asio::ip::tcp::socket socket) {
          return std::make_unique<pipe_end>(*this, number, socket.get_executor());
        })));
    return how;
  }
  // From here on others can connect with it.
  void add(const otpp::dist::node& one) { at(one.name()).node = one; }

  void cut() {
    for (const std::weak_ptr<wire>& each : wires_) {
      if (std::shared_ptr<wire> one = each.lock()) {
        one->cut();
      }
    }
  }

 private:
  struct place {
    std::string name;
    asio::any_io_executor executor;
    otpp::dist::node node;
    std::deque<std::shared_ptr<wire>> incoming; // which no connection of the node has taken yet
  };

  class pipe_end final : public otpp::detail::peer_transport {
   public:
    pipe_end(network& of, std::uint16_t place, asio::any_io_executor executor)
        : network_(of),
          place_(place),
          executor_(executor),
          arrived_(std::move(executor), asio::steady_timer::time_point::max()) {}
    ~pipe_end() override {
      close();
      if (wire_) {
        mine().waiting = nullptr;
      }
    }

    asio::any_io_executor executor() override { return executor_; }
    endpoint remote_endpoint() const noexcept override { return {}; }
    std::size_t size_of_length() const noexcept override { return 2; }

    asio::awaitable<void> connect(endpoint where, std::error_code& error) override {
      wire_ = network_.connect(where.port());
      error = wire_ ? std::error_code() : asio::error::make_error_code(asio::error::connection_refused);
      co_return;
    }

    asio::awaitable<void> begin(std::string peer, std::error_code& error) override {
      error.clear();
      if (peer.empty()) {
        side_ = 1;
        place& here = network_.places_[place_];
        wire_ = std::move(here.incoming.front());
        here.incoming.pop_front();
        otpp::link(here.node.process()); // as the node does that accepts a socket
      }
      mine().waiting = &arrived_;
      co_return;
    }

    asio::awaitable<std::size_t> read_some(asio::mutable_buffer to, std::error_code& error) override {
      while (true) {
        if (!mine().unread.empty()) {
          std::size_t size = asio::buffer_copy(to, asio::buffer(mine().unread));
          mine().unread.erase(0, size);
          error.clear();
          co_return size;
        }
        if (mine().is_closed) {
          error = asio::error::eof;
          co_return 0;
        }
        std::error_code woken;
        co_await arrived_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        asio::cancellation_state now = co_await asio::this_coro::cancellation_state;
        if (now.cancelled() != asio::cancellation_type::none) {
          error = asio::error::operation_aborted;
          co_return 0;
        }
      }
    }

    asio::awaitable<std::size_t> write_some(asio::const_buffer from, std::error_code& error) override {
      error.clear();
      if (mine().is_closed) {
        error = asio::error::broken_pipe;
        co_return 0;
      }
      other().unread.append(static_cast<const char*>(from.data()), from.size());
      other().wake();
      co_await asio::post(executor_, asio::use_awaitable); // a socket's write completes later, too
      co_return from.size();
    }

    void close() noexcept override {
      if (!wire_) {
        return;
      }
      mine().is_closed = true;
      mine().wake();
      other().is_closed = true; // which reads the rest first
      other().wake();
    }

   private:
    wire::end& mine() { return wire_->at(side_); }
    wire::end& other() { return wire_->at(1 - side_); }

    network& network_;
    const std::uint16_t place_;
    const asio::any_io_executor executor_;
    asio::steady_timer arrived_; // is cancelled when there is something to read
    std::shared_ptr<wire> wire_;
    std::size_t side_ = 0;
  };

  place& at(std::string_view name) {
    auto found =
        std::find_if(places_.begin(), places_.end(), [&](const place& one) { return one.name == name; });
    if (found == places_.end()) {
      throw std::runtime_error("the network has no such node");
    }
    return *found;
  }

  static asio::awaitable<endpoint> find(network& self, std::string name) {
    auto number = static_cast<std::uint16_t>(&self.at(name) - self.places_.data());
    co_return endpoint(asio::ip::address_v4::loopback(), number);
  }

  // The other end's node accepts. Null if it is not there.
  std::shared_ptr<wire> connect(std::uint16_t number) {
    place& there = places_[number];
    if (!there.node || there.node.process().has_ended()) {
      return nullptr;
    }
    auto made = std::make_shared<wire>();
    wires_.push_back(made);
    there.incoming.push_back(made);
    otpp::start<otpp::detail::peer_connection>(
        otpp::options().on(there.executor), otpp::detail::access::core(there.node).shared_from_this(),
        there.node.process(), asio::ip::tcp::socket(there.executor), std::string(),
        asio::bind_executor(
            there.executor,
            [](const std::exception_ptr&, const otpp::server_ref<otpp::detail::peer_connection>& accepted) {
              otpp::try_cast<otpp::detail::peer_connection::begin>(accepted);
            }));
    return made;
  }

  std::vector<place> places_;
  std::vector<std::weak_ptr<wire>> wires_;
};

} // namespace pipes
