// SPDX-License-Identifier: BSL-1.0

#pragma once

namespace otpp::detail {

class context_state;

// Something that lives on a context until it ends or the context goes: a server.
class resident {
 public:
  // The context is going away. Ends without running user callbacks.
  virtual void evict() noexcept = 0;

  virtual void retain() const noexcept = 0;
  virtual void let_go() const noexcept = 0;

 protected:
  virtual ~resident() = default;

 private:
  friend class context_state;
  resident* older_ = nullptr;
  resident* newer_ = nullptr;
  bool listed_ = false;
};

} // namespace otpp::detail
