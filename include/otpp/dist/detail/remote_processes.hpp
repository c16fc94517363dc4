// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/remote_links.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A process elsewhere, as the wire names it.
struct remote_identity {
  remote_identity() = default;
  explicit remote_identity(const pid_view& one)
      : node(one.node), id(one.id), serial(one.serial), creation(one.creation) {}

  pid_view view() const noexcept { return {node, id, serial, creation, {}}; }

  // As Erlang prints a pid, with the node in place of its number, and the creation, as a restarted node has the same ids.
  static std::string text_of(const pid_view& one) {
    return '<' + std::string(one.node) + '.' + std::to_string(one.id) + '.' + std::to_string(one.serial) +
           '/' + std::to_string(one.creation) + '>';
  }

  // What text_of() has made. Precondition: it has.
  static remote_identity of_text(std::string_view text) {
    remote_identity made;
    text = text.substr(1, text.size() - 2);
    for (auto [mark, number] :
         {std::pair('/', &made.creation), std::pair('.', &made.serial), std::pair('.', &made.id)}) {
      std::size_t at = text.rfind(mark);
      std::from_chars(text.data() + at + 1, text.data() + text.size(), *number);
      text = text.substr(0, at);
    }
    made.node = text;
    return made;
  }

  std::string node;
  std::uint32_t id = 0;
  std::uint32_t serial = 0;
  std::uint32_t creation = 0;
};

// The processes elsewhere that are known here, and those that stand for them, by remote_identity::text_of(). Any thread.
class remote_processes {
 public:
  struct entry {
    pid who; // stands for it
    std::shared_ptr<const remote_identity> what;
    std::shared_ptr<remote_links> links;
  };

  std::size_t size() const noexcept {
    std::lock_guard lock(mutex_);
    return all_.size();
  }

  // Returns the one that is there already, or else this one.
  pid enter(const std::string& name, entry one) {
    std::lock_guard lock(mutex_);
    entry& known = all_[name];
    if (known.who.has_ended()) {
      std::swap(known, one); // the old one is destroyed outside of the lock
    }
    return known.who;
  }
  pid find(std::string_view name) const { return get(name).who; }
  void remove(std::string_view name, std::uint64_t id) noexcept {
    entry gone; // destroyed outside of the lock
    std::lock_guard lock(mutex_);
    auto found = all_.find(name);
    if (found != all_.end() && found->second.who.id() == id) {
      gone = std::move(found->second);
      all_.erase(found);
    }
  }

  // Empty if it is not known.
  entry get(std::string_view name) const {
    std::lock_guard lock(mutex_);
    auto found = all_.find(name);
    return found == all_.end() || found->second.who.has_ended() ? entry() : found->second;
  }
  // Those that stand for processes of a node.
  std::vector<pid> of_node(std::string_view node) const {
    std::vector<pid> all;
    std::lock_guard lock(mutex_);
    for (const auto& each : all_) {
      if (each.second.what->node == node) {
        all.push_back(each.second.who);
      }
    }
    return all;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, entry, std::less<>> all_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
