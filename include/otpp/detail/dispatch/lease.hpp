// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/reply/slot_state.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/error.hpp>
#include <otpp/failed_call.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// An address that lends something with each call, such as a place in a limit: `lend(lease)` returns the server, and sets
// the lease, which is kept until the server has answered, or has dropped the caller, and the caller was told.
template <class Address>
concept lends = requires(const Address& to, typename Address::lease_type& lease) { to.lend(lease); };

struct no_lease {};

template <class Address>
struct find_lease {
  using type = no_lease;
};
template <lends Address>
struct find_lease<Address> {
  using type = typename Address::lease_type;
};
template <class Address>
using lease_of = typename find_lease<Address>::type;

// A call or request that keeps what its address has lent.
template <class Request, class Lease>
class with_lease : public Request {
 public:
  using Request::Request;

  void keep(Lease lease) noexcept { lease_ = std::move(lease); }

 protected:
  ~with_lease() override = default;

  // The caller is about to hear how it has ended. It may call again at once, before the server has let go of this; so what
  // was lent is given back now, unless the caller has given up, and the server is still to answer.
  void caller_leaves() noexcept {
    if (this->decided_by() == slot_state::decision::server_half) {
      give_back();
    }
  }

  // The server has let go of it, too, though a handle may still keep it.
  void give_back() noexcept { lease_ = Lease(); }

 private:
  Lease lease_;
};

// The same without a lease, which costs nothing.
template <class Request, class Lease>
using leased = std::conditional_t<std::is_same_v<Lease, no_lease>, Request, with_lease<Request, Lease>>;

// Like resolve_for(), of a call.
template <class M, class Address>
destination resolve_call(Address&& to, lease_of<Address>& lease) noexcept {
  if constexpr (lends<Address>) {
    try {
      return resolve_for<server_core::verb::call, M>(to.lend(lease));
    } catch (const error& refused) { // by the address, of whom nobody else can tell
      destination none;
      none.error = std::current_exception();
      topic<failed_call>::tell_if_heard([&] {
        std::string_view type = expected_type<callbacks_of<Address>>();
        return failed_call{
            static_cast<errc>(refused.code().value()), "call", type_name<M>(), std::string(type), type, 0};
      });
      return none;
    } catch (...) {
      destination none;
      none.error = std::current_exception();
      return none;
    }
  } else {
    return resolve_for<server_core::verb::call, M>(std::move(to));
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
