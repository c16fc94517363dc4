// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/wait_edge.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/copy_in_lock.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A name, copied under a lock.
class name_copy {
 public:
  bool take(std::string_view text) noexcept {
    size_ = (std::min)(text.size(), text_.size());
    std::copy_n(text.begin(), size_, text_.begin());
    return true;
  }
  std::string text() const { return std::string(text_.data(), size_); }

 private:
  std::array<char, 255> text_; // registry::longest_name
  std::size_t size_ = 0;
};

inline std::vector<std::string> names_of(const server_core& server) {
  std::vector<std::string> result;
  name_copy one;
  while (server.copy_name(result.size(), one)) {
    result.push_back(one.text());
  }
  std::reverse(result.begin(), result.end()); // the list has the newest first
  return result;
}

// Whom a handler waits for, copied while no slot can go.
class awaited_ids final : public awaited_visitor {
 public:
  void operator()(const intrusive_ptr<process>& server, bool) noexcept override {
    if (server && count_ != ids_.size()) {
      ids_[count_++] = server->id();
    }
  }

  std::vector<std::uint64_t> copy() const { return {ids_.data(), ids_.data() + count_}; }

 private:
  std::array<std::uint64_t, 8> ids_{};
  std::size_t count_ = 0;
};

inline std::vector<std::uint64_t> awaited_by(server_core& server) {
  awaited_ids found;
  if (server.edge().slot()) { // else nobody has to wait for a look
    wait_edge::look looking;
    if (const reply_slot* slot = server.edge().slot()) {
      slot->visit_awaited(found);
    }
  }
  return found.copy();
}

// One end of a relation.
struct related {
  std::uint64_t other;
  bool is_link;
  bool is_maker;
};

inline std::vector<related> related_to(relations& its) {
  return copy_in_lock<related>([&](auto keep) {
    relation::visit_all(its, [&](std::uint64_t other, bool is_link, bool is_maker) noexcept {
      keep(related{other, is_link, is_maker});
    });
  });
}

} // namespace otpp::detail

#pragma GCC visibility pop
