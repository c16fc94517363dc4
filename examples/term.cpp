// SPDX-License-Identifier: BSL-1.0

// A port program: Erlang starts it with open_port, and asks it in terms. term.escript beside it does so. Without
// --port it asks itself, and prints what it would answer.

#include <otpp/term.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

// [requests]
struct add { std::string name; int n; static constexpr auto term = otpp::as::tagged("add"); }; // {add,Name,N}
struct lookup { std::string name; static constexpr auto term = otpp::as::tagged("lookup"); };  // {lookup,Name}
struct get { static constexpr auto term = otpp::as::tagged("get"); };                          // get
using request = std::variant<add, lookup, get>;

struct found { std::int64_t n; static constexpr auto term = otpp::as::tagged("ok"); };         // {ok,N}
struct missing { static constexpr auto term = otpp::as::tagged("error"); };                    // error
struct bad_request { otpp::term what; static constexpr auto term = otpp::as::tagged("bad_request"); };
// [requests]

// [answers]
class stock {
 public:
  // Takes a request, and returns the answer. Throws otpp::bad_term if the bytes are no term at all.
  std::string answer(const std::string& bytes) {
    request asked;
    if (!otpp::from_bytes(bytes, asked)) {
      return otpp::to_bytes(bad_request{otpp::from_bytes<otpp::term>(bytes)});
    }
    return std::visit([this](const auto& one) { return otpp::to_bytes(handle(one)); }, asked);
  }

 private:
  found handle(const add& one) { return {counts_[one.name] += one.n}; }
  std::variant<found, missing> handle(const lookup& one) const {
    auto at = counts_.find(one.name);
    if (at == counts_.end()) {
      return missing{};
    }
    return found{at->second};
  }
  const std::map<std::string, std::int64_t>& handle(get) const { return counts_; }

  std::map<std::string, std::int64_t> counts_;
};
// [answers]

// [frames]
constexpr std::size_t longest_frame = 1'000'000; // what Erlang sends is believed nothing

// Reads what comes through {packet, 4}: a length, the most significant byte first, and as many bytes.
bool read_frame(std::istream& in, std::string& frame) {
  char head[4] = {};
  std::size_t size = 0;
  in.read(head, sizeof head);
  for (char byte : head) {
    size = size << 8 | static_cast<unsigned char>(byte);
  }
  if (in && size > longest_frame) {
    throw std::length_error("a frame of " + std::to_string(size) + " bytes");
  }
  frame.resize(in ? size : 0);
  return in && in.read(frame.data(), static_cast<std::streamsize>(frame.size()));
}

void write_frame(std::ostream& out, const std::string& frame) {
  for (int shift : {24, 16, 8, 0}) {
    out.put(static_cast<char>(frame.size() >> shift & 0xFF));
  }
  out << frame << std::flush;
}

int serve() {
  stock things;
  try {
    for (std::string frame; read_frame(std::cin, frame);) {
      write_frame(std::cout, things.answer(frame));
    }
    return 0; // the port is closed
  } catch (const std::exception& error) {
    std::cerr << "term: " << error.what() << '\n'; // Erlang's terminal shows it
    return 1;
  }
}
// [frames]

int main(int count, char** arguments) {
  if (count > 1 && arguments[1] == std::string_view("--port")) {
    return serve();
  }
  stock things;
  auto ask = [&](const auto& asked) {
    otpp::term answer = otpp::from_bytes<otpp::term>(things.answer(otpp::to_bytes(asked)));
    std::cout << otpp::term::of(asked) << " -> " << answer << '\n';
  };
  ask(add{"apples", 3});
  ask(add{"apples", 4});
  ask(lookup{"apples"});
  ask(lookup{"pears"});
  ask(get{});
  ask(otpp::atom("stop"));
}

// Output:
// {add,<<"apples">>,3} -> {ok,3}
// {add,<<"apples">>,4} -> {ok,7}
// {lookup,<<"apples">>} -> {ok,7}
// {lookup,<<"pears">>} -> error
// get -> #{<<"apples">> => 7}
// stop -> {bad_request,stop}
