// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The newest values, at most so many, which are oldest first.
template <class T>
class ring {
 public:
  explicit ring(std::size_t most) noexcept : most_(most) {}

  void push(T value) {
    if (values_.size() < most_) {
      values_.push_back(std::move(value));
    } else {
      values_[begin_] = std::move(value);
      begin_ = (begin_ + 1) % most_;
    }
  }

  std::size_t size() const noexcept { return values_.size(); }
  bool empty() const noexcept { return values_.empty(); }
  const T& operator[](std::size_t i) const noexcept { return values_[(begin_ + i) % values_.size()]; }
  const T& back() const noexcept { return (*this)[values_.size() - 1]; }

  template <class Visit>
  void visit(Visit visit) const {
    for (std::size_t i = 0; i != values_.size(); ++i) {
      visit((*this)[i]);
    }
  }

 private:
  std::vector<T> values_;
  std::size_t begin_ = 0;
  std::size_t most_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
