// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/callbacks.hpp>
#include <otpp/detail/dispatch/check.hpp>

#include <otpp/timeout.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"

#include <asio/awaitable.hpp>

#include <memory>
#include <string>
#include <type_traits>

namespace {

struct question {
  using reply_type = int;
};
struct silent_question {
  using reply_type = void;
};
struct fact {};

// Every form that a callback may have.
struct polyglot {
  static asio::awaitable<otpp::init_result<std::string>> init(int);
  int handle_call(question, std::string&);
  static asio::awaitable<otpp::outcome<void>> handle_call(silent_question, otpp::caller<void>, std::string&);
  asio::awaitable<void> handle_cast(fact, std::string&) const;
  static otpp::outcome<> handle_info(const fact&, std::string&);
  void handle_info(otpp::timeout, const std::string&);
  asio::awaitable<otpp::outcome<>> handle_continue(fact&&, std::string&);
  asio::awaitable<void> terminate(otpp::exit_reason, std::string&);
};

struct overloaded {
  using state_type = std::unique_ptr<int>;
  std::unique_ptr<int> init();
  std::unique_ptr<int> init(int);
};
template <class T>
struct generic {
  using state_type = T;
  template <class U>
  T init(U);
};

struct by_caller {
  int init();
  otpp::no_reply_t handle_call(question, otpp::caller<int>, int&);
};
struct wrong_reply {
  int init();
  std::string handle_call(question, int&);
};
struct wrong_outcome {
  int init();
  otpp::outcome<std::string> handle_call(question, int&);
};
struct converts {
  int init();
  short handle_call(question, int&);
};
struct silent {
  int init();
  void handle_call(question, int&); // nobody to answer
};
struct stateless {
  int init();
  int handle_call(question);
};
struct lone {
  int init();
};
struct finishing {
  int init();
  void terminate(int, int&);
};

template <class Callbacks, class M>
constexpr bool fits = otpp::detail::call_result_fits<Callbacks, M>();

} // namespace

static_assert(std::is_same_v<otpp::state_t<counter>, int>);
static_assert(std::is_same_v<otpp::state_t<polyglot>, std::string>);
static_assert(std::is_same_v<otpp::state_t<overloaded>, std::unique_ptr<int>>);
static_assert(std::is_same_v<otpp::state_t<generic<long>>, long>);

static_assert(otpp::handles_call<counter, counter::get>);
static_assert(!otpp::handles_call<counter, counter::reset>);
static_assert(!otpp::handles_call<counter, std::string>);
static_assert(otpp::handles_cast<counter, counter::set>);
static_assert(!otpp::handles_cast<counter, counter::get>);
static_assert(otpp::handles_info<counter, counter::reset>);
static_assert(!otpp::handles_info<counter, counter::set>);
static_assert(!otpp::handles_continue<counter, counter::set>);

static_assert(otpp::handles_call<polyglot, question>);
static_assert(otpp::handles_call<polyglot, silent_question>);
static_assert(otpp::handles_cast<polyglot, fact>);
static_assert(otpp::handles_info<polyglot, fact>);
static_assert(otpp::handles_info<polyglot, otpp::timeout>);
static_assert(otpp::handles_continue<polyglot, fact>);
static_assert(otpp::detail::terminates<polyglot>);
static_assert(!otpp::detail::terminates<finishing>);
static_assert(!otpp::detail::terminates<lone>);
static_assert(otpp::detail::names_terminate<finishing>());
static_assert(!otpp::detail::names_terminate<lone>());
static_assert(otpp::detail::names_init<lone>());
static_assert(!otpp::detail::names_init<fact>());

static_assert(!otpp::handles_call<stateless, question>);
static_assert(!otpp::handles_call<lone, question>);

static_assert(fits<polyglot, question>);
static_assert(fits<polyglot, silent_question>);
static_assert(fits<by_caller, question>);
static_assert(fits<converts, question>);
static_assert(!fits<wrong_reply, question>);
static_assert(!fits<wrong_outcome, question>);
static_assert(!fits<silent, question>);

TEST_CASE("callbacks: a good class passes the check", "[callbacks]") {
  CHECK(otpp::detail::check_callbacks<counter>());
  CHECK(otpp::detail::check_callbacks<polyglot>());
  CHECK(otpp::detail::check_callbacks<overloaded>());
  CHECK(otpp::detail::check_callbacks<lone>());
}
