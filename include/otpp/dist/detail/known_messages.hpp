// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/term/detail/reader.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// How messages are written to processes elsewhere that are known by a `pid` alone, so that only at run time their type meets
// what can write it. One for the program: it knows types, and not nodes. Any thread.
class known_messages {
 public:
  static known_messages& global() {
    static auto* made = new known_messages; // never destroyed: static objects may send
    return *made;
  }

  void add(server_core::verb kind, const std::type_info& message, envelope::opener open) {
    std::lock_guard lock(mutex_);
    all_.try_emplace({kind, std::type_index(message)}, open);
  }

  // How a plain message of this type is read, and sent to a process here. Returns false if it does not fit, or is not taken.
  using sender = bool (*)(const pid& to, term_reader message);
  void add(const std::type_info& message, sender send) {
    std::lock_guard lock(mutex_);
    if (senders_.try_emplace(std::type_index(message), send).second) {
      in_order_.push_back(send);
    }
  }

  // In the order in which they have become known.
  bool send_first_that_fits(const pid& to, const term_reader& message) const {
    std::vector<sender> all;
    {
      std::lock_guard lock(mutex_);
      all = in_order_;
    }
    return std::any_of(all.begin(), all.end(), [&](sender each) { return each(to, message); });
  }

  envelope::opener find(server_core::verb kind, const std::type_info& message) const {
    std::lock_guard lock(mutex_);
    auto found = all_.find({kind, std::type_index(message)});
    return found == all_.end() ? nullptr : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<server_core::verb, std::type_index>, envelope::opener> all_;
  std::map<std::type_index, sender> senders_;
  std::vector<sender> in_order_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
