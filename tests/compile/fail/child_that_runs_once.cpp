// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/supervisor/supervisor.hpp>

asio::awaitable<void> tell_the_time();

otpp::child_spec specify() {
#ifdef OTPP_MISTAKE
  return otpp::child("clock", tell_the_time());
#else
  return otpp::child("clock", tell_the_time);
#endif
}
