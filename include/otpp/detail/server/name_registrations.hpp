// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Something that a process has registered and gives back when it ends: a name, a membership in a group, or a
// monitor of a group. Its destructor gives it back.
struct name_registration {
  virtual ~name_registration() = default;
  // Returns the name; empty for anything else.
  virtual std::string_view text() const noexcept { return {}; }
  std::unique_ptr<name_registration> next;
};

// What a process has registered, newest first.
//
// All functions are called under the lock of the process's context. What they take out must be destroyed
// after the lock is released, because that takes the locks of registries.
class name_registrations {
 public:
  void add(std::unique_ptr<name_registration> one) noexcept {
    one->next = std::move(first_);
    first_ = std::move(one);
  }

  // Takes out the first that matches; returns null if none does.
  template <class Matches>
  std::unique_ptr<name_registration> take(Matches matches) noexcept {
    for (std::unique_ptr<name_registration>* at = &first_; *at; at = &(*at)->next) {
      if (matches(**at)) {
        std::unique_ptr<name_registration> found = std::move(*at);
        *at = std::move(found->next);
        return found;
      }
    }
    return nullptr;
  }

  // Takes out all of them, as a list whose elements are to be destroyed one by one.
  std::unique_ptr<name_registration> take_all() noexcept { return std::move(first_); }

  // Copies the name at a position in the list into `text`. Returns false if there are fewer.
  template <class Text>
  bool copy(std::size_t place, Text& text) const noexcept {
    const name_registration* one = first_.get();
    for (; one && place != 0; --place) {
      one = one->next.get();
    }
    return one && text.take(one->text());
  }

 private:
  std::unique_ptr<name_registration> first_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
