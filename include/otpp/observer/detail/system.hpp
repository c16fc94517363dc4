// SPDX-License-Identifier: BSL-1.0

#pragma once

#if __has_include(<fcntl.h>) && __has_include(<pthread.h>)
#include <fcntl.h>
#include <pthread.h>
#endif

#include <csignal>

#pragma GCC visibility push(default)

// What the observer asks of the system, so that the program does not notice it. Elsewhere than on POSIX this does nothing.

namespace otpp::detail {

// A program that this one starts must not hold the port, or a connection.
template <class Socket>
void keep_from_children(Socket& socket) noexcept {
#ifdef FD_CLOEXEC
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
#else
  static_cast<void>(socket);
#endif
}

// While it lives this thread gets no signal, and a thread that it starts never gets one: signals are for the program's own
// threads, which may wait for them.
class signals_blocked {
 public:
#ifdef FD_CLOEXEC
  signals_blocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;
  ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
#endif
};

} // namespace otpp::detail

#pragma GCC visibility pop
