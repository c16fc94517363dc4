// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/form.hpp>

#include "support/catch.hpp"

#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace {

struct sample {
  int a = 1;
  int b = 2;
  static constexpr auto term = otpp::as::tagged("sample");
};
enum class letter { a, b };

constexpr auto named = otpp::as::tagged("sample", &sample::b, &sample::a);
static_assert(named.tag == "sample");
static_assert(std::get<0>(named.members) == &sample::b);
static_assert(named.absent_atom == "undefined");
static_assert(named.absent("nil").absent_atom == "nil");
static_assert(named.absent("nil").tag == "sample");
static_assert(std::get<1>(named.absent("nil").members) == &sample::a);

constexpr auto mapped = otpp::as::map("a", &sample::a, "b", &sample::b);
static_assert(mapped.keys[0] == "a" && mapped.keys[1] == "b");
static_assert(std::get<1>(mapped.members) == &sample::b);
static_assert(mapped.absent_atom == "undefined");
static_assert(mapped.absent("nil").absent_atom == "nil" && mapped.absent("nil").keys[1] == "b");

constexpr auto letters = otpp::as::atoms(letter::a, "x", letter::b, "y");
static_assert(letters.values[1] == letter::b && letters.texts[1] == "y" && letters.values.size() == 2);

constexpr auto halved =
    otpp::as::custom([](int n) { return n / 2; }, [](int n) { return std::optional(2 * n); });
static_assert(halved.to(4) == 2 && halved.from(2) == 4);

static_assert(otpp::term_of<sample>.tag == "sample"); // what its member says
static_assert(std::is_same_v<decltype(otpp::term_of<letter>), const otpp::no_form>);

} // namespace

TEST_CASE("term form: a member of a type is its form", "[term]") {
  CHECK(otpp::term_of<sample>.members == std::tuple<>());
  CHECK(otpp::term_of<sample>.absent_atom == "undefined");
}
