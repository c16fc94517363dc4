// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/cookie.hpp>

#include "support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

#include <unistd.h>

using otpp::detail::cookie_of;
using otpp::detail::read_cookie;

namespace {
namespace cookies {

namespace fs = std::filesystem;

// A folder that goes with it.
class folder {
 public:
  folder() : path_(fs::temp_directory_path() / ("otpp-cookie-" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  const fs::path& path() const { return path_; }

  fs::path file(const std::string& text, fs::perms mode = fs::perms::owner_read) const {
    fs::path at = path_ / ".erlang.cookie";
    std::error_code ignored;
    fs::remove(at, ignored);
    std::ofstream(at, std::ios::binary) << text;
    fs::permissions(at, mode);
    return at;
  }

 private:
  fs::path path_;
};

std::string failure(const fs::path& at) {
  try {
    read_cookie(at);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

bool has_words(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

// The user's home, as a program sees it.
class home {
 public:
  explicit home(const char* path) {
    if (const char* before = std::getenv("HOME")) {
      before_ = before;
    }
    path ? ::setenv("HOME", path, 1) : ::unsetenv("HOME");
  }
  home(const home&) = delete;
  home& operator=(const home&) = delete;
  ~home() { before_ ? ::setenv("HOME", before_->c_str(), 1) : ::unsetenv("HOME"); }

 private:
  std::optional<std::string> before_;
};

} // namespace cookies
} // namespace

TEST_CASE("cookie: the text of a file, without the end of its line", "[dist]") {
  cookies::folder here;
  CHECK(read_cookie(here.file("ABCDEFGHIJKLMNOPQRST")) == "ABCDEFGHIJKLMNOPQRST");
  CHECK(read_cookie(here.file("secret\n")) == "secret");
  CHECK(read_cookie(here.file("secret \r\n\n")) == "secret");
  CHECK(read_cookie(here.file("two words\n")) == "two words");
}

TEST_CASE("cookie: a file that others can read, write or execute is refused", "[dist]") {
  cookies::folder here;
  using perms = cookies::fs::perms;
  for (perms others :
       {perms::group_read, perms::group_write, perms::group_exec, perms::others_read, perms::others_write,
        perms::others_exec}) {
    std::string text = cookies::failure(here.file("secret\n", perms::owner_read | others));
    CHECK(cookies::has_words(text, "can be read by others than its owner: chmod 400 "));
    CHECK(cookies::has_words(text, ".erlang.cookie"));
    CHECK_FALSE(cookies::has_words(text, "secret"));
  }
  CHECK(read_cookie(here.file("secret\n", perms::owner_read | perms::owner_write)) == "secret");
}

TEST_CASE("cookie: there is none", "[dist]") {
  cookies::folder here;
  std::string text = cookies::failure(here.path() / "nowhere");
  CHECK(cookies::has_words(text, "otpp: no cookie: there is no file "));
  CHECK(cookies::has_words(text, "node_options::cookie"));
  CHECK(cookies::has_words(cookies::failure(here.path()), "there is no file")); // a folder is none
  CHECK(cookies::has_words(cookies::failure(here.path() / "nowhere" / "at all"), "there is no file"));
}

TEST_CASE("cookie: an empty file, and one of blanks", "[dist]") {
  cookies::folder here;
  CHECK(cookies::has_words(cookies::failure(here.file("")), "is empty, or cannot be read"));
  CHECK(cookies::has_words(cookies::failure(here.file(" \r\n \n")), "is empty, or cannot be read"));
  if (::geteuid() != 0) { // root reads everything
    CHECK(cookies::has_words(
        cookies::failure(here.file("secret", cookies::fs::perms::none)), "cannot be read"));
  }
}

TEST_CASE("cookie: the options come first, then their file, then the home", "[dist]") {
  cookies::folder here;
  otpp::dist::node_options how("a@127.0.0.1");
  cookies::home mine(here.path().c_str());
  here.file("of the home\n");
  CHECK(cookie_of(how) == "of the home");
  how.cookie_file((here.path() / "another").string());
  CHECK_THROWS_AS(cookie_of(how), std::runtime_error);
  how.cookie("its own");
  CHECK(cookie_of(how) == "its own");
}

TEST_CASE("cookie: without a home", "[dist]") {
  cookies::home none(nullptr);
  try {
    cookie_of(otpp::dist::node_options("a@127.0.0.1"));
    SUCCEED("there is /.erlang.cookie");
  } catch (const std::runtime_error& error) {
    CHECK(cookies::has_words(error.what(), "/.erlang.cookie"));
  }
}
