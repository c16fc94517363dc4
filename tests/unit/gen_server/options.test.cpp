// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/options.hpp>

#include "support/catch.hpp"

#include <asio/io_context.hpp>

#include <optional>
#include <string>
#include <type_traits>

static_assert(!std::is_aggregate_v<otpp::options>); // GCC 12 destroys those twice in a co_await expression

TEST_CASE("options: say nothing unless told", "[options]") {
  otpp::options plain;
  CHECK_FALSE(plain.name().has_value());
  CHECK_FALSE(plain.executor());
  CHECK(plain.mailbox_limit() == 0);
  CHECK(&plain.names() == &otpp::registry::global());
}

TEST_CASE("options: can be said in one breath, or one by one", "[options]") {
  asio::io_context context;
  otpp::registry names;
  otpp::options all = otpp::named("a").in(names).on(context.get_executor()).mailbox_limit(3);
  CHECK(all.name() == std::optional<std::string>("a"));
  CHECK(all.executor() == asio::any_io_executor(context.get_executor()));
  CHECK(all.mailbox_limit() == 3);
  CHECK(&all.names() == &names);

  otpp::options slowly;
  slowly.name("b").in(names).mailbox_limit(4);
  slowly.on(context.get_executor());
  CHECK(slowly.name() == std::optional<std::string>("b"));
  CHECK(slowly.executor() == asio::any_io_executor(context.get_executor()));
  CHECK(slowly.mailbox_limit() == 4);
  CHECK(&slowly.names() == &names);
}
