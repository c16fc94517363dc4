// SPDX-License-Identifier: BSL-1.0

// Platform headers define short words as macros. The standard library and Asio
// are read first, because they are not what is tested here; every header that
// otpp includes must therefore be in this list. Not here: `emit` and `require`,
// which are names of Asio's that otpp has to write.
#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/concurrent_channel.hpp>

#include <algorithm>
#include <any>
#include <array>
#include <atomic>
#include <cassert>
#include <charconv>
#include <chrono>
#include <compare>
#include <concepts>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <initializer_list>
#include <iostream>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <ostream>
#include <queue>
#include <ranges>
#include <set>
#include <shared_mutex>
#include <source_location>
#include <span>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>
#include <version>

// <complex.h> and <sys/sysmacros.h>
#define I _Complex_I
#define major(device) device
#define minor(device) device
// <windows.h>
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define small char
#define near
#define far
#define interface struct
#define IN
#define OUT
#define ERROR 0
#define DELETE 0
#define Yield()
// Qt
#define signals public
#define slots
#define foreach for
#define forever for (;;)
// X11
#define Bool int
#define None 0
#define Status int
#define Success 0
#define True 1
#define False 0
// <AssertMacros.h>, Unreal
#define check(condition)
#define verify(condition)
#define DEBUG 1

#include <otpp/otpp.hpp>
