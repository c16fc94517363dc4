// SPDX-License-Identifier: BSL-1.0

// What clients send to the Redis example: any bytes, cut anywhere. Cut or in one piece, the commands and the
// error are the same; nothing is read that is not there (AddressSanitizer), and limits are kept.

#include "resp.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct outcome {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  bool operator==(const outcome&) const = default;
};

outcome read(std::string_view bytes, std::size_t piece) {
  resp::limits limits;
  resp::parser parser(limits);
  outcome result;
  try {
    while (!bytes.empty()) {
      std::string_view now = bytes.substr(0, piece);
      bytes.remove_prefix(now.size());
      while (!now.empty()) {
        auto room = parser.prepare();
        std::size_t size = std::min(room.size(), now.size());
        std::copy_n(now.begin(), size, room.begin());
        parser.commit(size);
        now.remove_prefix(size);
      }
      std::vector<std::string_view> words;
      while (parser.next(words)) {
        result.commands.emplace_back(words.begin(), words.end());
      }
    }
  } catch (const resp::protocol_error& error) {
    result.error = error.what();
  }
  return result;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::size_t piece = std::size_t{1} + data[0] % 7;
  outcome whole = read(bytes, bytes.size());
  outcome cut = read(bytes, piece);
  if (!(whole == cut)) {
    std::fprintf(
        stderr, "in one piece: %zu commands, error \"%s\"; in pieces of %zu: %zu, \"%s\"\n",
        whole.commands.size(), whole.error.c_str(), piece, cut.commands.size(), cut.error.c_str());
    std::abort();
  }
  return 0;
}
