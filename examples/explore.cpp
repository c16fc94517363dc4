// SPDX-License-Identifier: BSL-1.0

// Testing a server in every order. A client that hears nothing in time asks again; is what it pays in counted
// twice? Not in the usual order, in which the answer comes first. `explore` tries the others.

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include <asio.hpp>
#include <iostream>
#include <set>
#include <string>

using namespace std::chrono_literals;

// [accounts]
struct pay_in {
  int amount;
  int receipt;
  using reply_type = int;
};

struct careless_account {
  int init() { return 0; }
  int handle_call(pay_in request, int& balance) { return balance += request.amount; }
};

struct careful_account {
  struct book {
    int balance = 0;
    std::set<int> receipts;
  };

  book init() { return {}; }
  int handle_call(pay_in request, book& kept) {
    bool is_new = kept.receipts.insert(request.receipt).second;
    return kept.balance += is_new ? request.amount : 0;
  }
};
// [accounts]

// [scenario]
template <class Account>
void one_payment(otpp::testing::world& world) {
  int balance = 0;
  world.spawn("ann", [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<Account>();
    try {
      balance = co_await otpp::call_for<pay_in>(server, 1s, 10, 1);
      co_return;
    } catch (const otpp::error&) {
      world.note("ann has waited long enough");
    }
    balance = co_await otpp::call_for<pay_in>(server, otpp::infinite, 10, 1);
  });
  world.run();
  world.check(balance == 10, "ann has paid in twice");
}
// [scenario]

// [explore]
void test(const std::string& name, void (*scenario)(otpp::testing::world&)) {
  using otpp::testing::orders;
  try {
    otpp::testing::explore(orders::all(2), scenario);
    std::cout << name << ": right in every order\n";
  } catch (const otpp::testing::exploration_failed& failure) {
    std::string text = failure.what();
    std::cout << name << ": " << text.substr(0, text.find('\n')) << '\n';
  }
}

int main() {
  test("careless", one_payment<careless_account>);
  test("careful", one_payment<careful_account>);
}
// [explore]

// Output:
// careless: ann has paid in twice
// careful: right in every order
