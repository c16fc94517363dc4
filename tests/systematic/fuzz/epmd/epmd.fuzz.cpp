// SPDX-License-Identifier: BSL-1.0

// What answers at epmd's port, piece by piece: what was said of a piece, other than that it is incomplete, stays so with all that
// follows.

#include <otpp/dist/detail/epmd_protocol.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace otpp::detail;

namespace {

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }
}

template <class Read>
epmd_reading read_in_pieces(std::string_view bytes, Read read) {
  epmd_reading settled = epmd_reading::incomplete;
  for (std::size_t size = 0; size <= bytes.size() && size <= 32; ++size) {
    std::string piece(bytes.substr(0, size)); // AddressSanitizer knows where it ends
    epmd_reading next = read(piece);
    require(settled == epmd_reading::incomplete || next == settled, "a reading changes");
    require(size < 10 || next != epmd_reading::incomplete, "it asks for more than there ever is");
    settled = next;
  }
  return settled;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::uint32_t creation = 0;
  epmd_reading registered =
      read_in_pieces(bytes, [&](std::string_view piece) { return read_epmd_registered(piece, creation); });
  epmd_entry found;
  epmd_reading looked_up =
      read_in_pieces(bytes, [&](std::string_view piece) { return read_epmd_looked_up(piece, found); });
  if (looked_up == epmd_reading::done) {
    require(found.port != 0 && found.lowest <= found.highest, "a node that nobody can reach");
    require(registered == epmd_reading::malformed, "an answer to both");
  } else {
    require(!epmd_look_up_failure(looked_up, "erl@host").empty(), "nothing is said");
  }
  if (registered != epmd_reading::done) {
    require(!epmd_register_failure(registered, "cpp").empty(), "nothing is said");
  }
  return 0;
}
