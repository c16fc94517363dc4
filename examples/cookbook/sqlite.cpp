// SPDX-License-Identifier: BSL-1.0

// A database behind a server: its calls block, so that the server has a thread of its own. With SQLite where
// that is installed; else with something that blocks as well.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#if defined(OTPP_EXAMPLE_SQLITE)
#include <sqlite3.h>

class table {
 public:
  explicit table(const std::string& path) {
    sqlite3* opened = nullptr;
    int status = sqlite3_open(path.c_str(), &opened);
    connection_.reset(opened);
    check(status == SQLITE_OK);
    run("create table fruit (name text primary key, color text)");
  }
  void put(const std::string& name, const std::string& color) {
    run("insert or replace into fruit values (?1, ?2)", name, color);
  }
  std::optional<std::string> get(const std::string& name) {
    return run("select color from fruit where name = ?1", name);
  }

 private:
  // Returns the first column of the first row.
  template <class... Texts>
  std::optional<std::string> run(const char* sql, const Texts&... texts) {
    sqlite3_stmt* made = nullptr;
    check(sqlite3_prepare_v2(connection_.get(), sql, -1, &made, nullptr) == SQLITE_OK);
    std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(made, &sqlite3_finalize);
    int at = 0;
    (check(sqlite3_bind_text(made, ++at, texts.c_str(), -1, nullptr) == SQLITE_OK), ...);
    int status = sqlite3_step(made);
    check(status == SQLITE_ROW || status == SQLITE_DONE);
    if (status == SQLITE_DONE) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(sqlite3_column_text(made, 0)));
  }
  void check(bool holds) {
    if (!holds) throw std::runtime_error(sqlite3_errmsg(connection_.get()));
  }

  struct closer {
    void operator()(sqlite3* one) const { sqlite3_close(one); }
  };
  std::unique_ptr<sqlite3, closer> connection_;
};
#else
#include <chrono>
#include <map>
#include <thread>

class table {
 public:
  explicit table(const std::string&) {}
  void put(const std::string& name, const std::string& color) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    colors_[name] = color;
  }
  std::optional<std::string> get(const std::string& name) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    auto found = colors_.find(name);
    return found == colors_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, std::string> colors_;
};
#endif

// [server]
struct database {
  struct put { std::string name; std::string color; using reply_type = void; };
  struct get { std::string name; using reply_type = std::optional<std::string>; };

  table init(std::string path) { return table(path); } // on the same thread, too
  void handle_call(put m, table& fruit) { fruit.put(m.name, m.color); }
  std::optional<std::string> handle_call(get m, table& fruit) { return fruit.get(m.name); }
};

asio::awaitable<void> client(asio::any_io_executor own_thread) {
  auto server = co_await otpp::start<database>(otpp::options().on(own_thread), ":memory:");

  // The client's thread goes on while the database works.
  co_await otpp::call<database::put>(server, "apple", "red");
  auto color = co_await otpp::call<database::get>(server, "apple");
  auto none = co_await otpp::call<database::get>(server, "plum");
  std::cout << "apple: " << color.value_or("none") << ", plum: " << none.value_or("none") << '\n';
}

int main() {
  asio::thread_pool own_thread(1); // destroyed after the servers, which otpp::run stops
  return otpp::run(client(own_thread.get_executor()));
}
// [server]

// Output:
// apple: red, plum: none
