// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace otpp::detail {

// Something that a process has until it ends and then gives back: a name, a membership in a group, a monitor of a
// group. Destroying it gives it back.
struct name_registration {
  virtual ~name_registration() = default;
  // Returns the name; empty if it is none.
  virtual std::string_view text() const noexcept { return {}; }
  std::unique_ptr<name_registration> next;
};

// What a process has registered, newest first.
//
// All of it is called in the lock of the process's context. What is taken out is destroyed outside of it, because that
// takes the locks of registries.
class name_registrations {
 public:
  void add(std::unique_ptr<name_registration> one) noexcept {
    one->next = std::move(first_);
    first_ = std::move(one);
  }

  // Takes out the first that matches; null if none does.
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

  // Takes out all: a list, to be destroyed one by one.
  std::unique_ptr<name_registration> take_all() noexcept { return std::move(first_); }

  // Copies the name at a place in the list into `text`. False if there are not as many.
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
