// SPDX-License-Identifier: BSL-1.0

// What a peer sends after the handshake: any bytes as a frame, and as several that may be fragments. What is taken for a control
// message carries a whole term, and is the same after it was written and read again, also in fragments.

#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/fragment.hpp>
#include <otpp/dist/detail/incoming_fragments.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace otpp::detail;

namespace {

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }
}

bool is_term(std::string_view bytes) {
  term_reader from(bytes);
  return from.skip() && from.left().empty();
}

bool parse(std::string_view frame, control_message& read) {
  if (!parse_control(frame, read)) {
    return false;
  }
  require(read.reason.empty() || is_term(read.reason), "a reason is no term");
  require(read.message.empty() || is_term(read.message), "a message is no term");
  return true;
}

// Writes it, if we ever send such messages. Returns nothing otherwise.
std::string written(const control_message& one, reason_form form) {
  term_writer to;
  const auto* process = std::get_if<pid_view>(&one.to);
  const auto* alias = std::get_if<ref_view>(&one.to);
  control_place from =
      one.from_name.data() == nullptr ? control_place(one.from) : control_place(one.from_name);
  switch (one.op) {
    case control_op::link: put_link(to, one.from, *process); break;
    case control_op::send: put_send(to, *process); break;
    case control_op::exit: put_exit(to, one.from, *process, form); break;
    case control_op::exit2: put_exit2(to, one.from, *process, form); break;
    case control_op::reg_send: put_reg_send(to, one.from, *std::get_if<std::string_view>(&one.to)); break;
    case control_op::monitor_p: put_monitor_p(to, one.from, one.to, one.ref); break;
    case control_op::demonitor_p: put_demonitor_p(to, one.from, one.to, one.ref); break;
    case control_op::monitor_p_exit: put_monitor_p_exit(to, from, *process, one.ref, form); break;
    case control_op::alias_send: put_alias_send(to, one.from, *alias); break;
    case control_op::unlink_id: put_unlink_id(to, one.id, one.from, *process); break;
    case control_op::unlink_id_ack: put_unlink_id_ack(to, one.id, one.from, *process); break;
    default: return {};
  }
  to.raw(one.reason);
  to.raw(one.message);
  return to.take();
}

constexpr std::size_t longest = 200;

// The bytes as frames, each with its length before it in one byte.
void take_all(std::string_view bytes) {
  incoming_fragments open(longest);
  control_message read;
  while (!bytes.empty()) {
    std::size_t length = static_cast<unsigned char>(bytes[0]);
    const std::string given(bytes.substr(1, length));
    bytes.remove_prefix(1 + given.size());
    std::string_view frame = given;
    switch (open.take(frame)) {
      case incoming_fragments::found::frame:
        require(frame.data() == given.data() || frame.size() <= longest, "a message is too long");
        parse(frame, read);
        break;
      case incoming_fragments::found::part: break;
      default: return; // the connection ends
    }
  }
}

void append_big(std::string& to, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    to.push_back(static_cast<char>(number >> shift & 0xFF));
  }
}

// Cuts what is behind the head of a whole frame into parts of so many bytes.
std::vector<std::string> cut(std::string_view frame, std::size_t size, std::uint64_t number) {
  std::string_view body = frame.substr(whole_frame.size());
  std::uint64_t left = (body.size() + size - 1) / size;
  std::vector<std::string> parts;
  for (; left != 0; --left) {
    std::string part(1, static_cast<char>(whole_frame[0]));
    part.push_back(static_cast<char>(parts.empty() ? first_fragment : next_fragment));
    append_big(part, number);
    append_big(part, left);
    if (parts.empty()) {
      part.push_back('\0');
    }
    parts.push_back(part.append(body.substr(0, size)));
    body.remove_prefix(size < body.size() ? size : body.size());
  }
  return parts;
}

// Two of the same message, whose parts come in turns.
void come_in_fragments(const std::string& frame) {
  incoming_fragments open(frame.size());
  std::size_t size = (frame.size() % 7) + 1;
  std::vector<std::string> one = cut(frame, size, 1);
  std::vector<std::string> other = cut(frame, size, 2);
  for (std::size_t at = 0; at != one.size(); ++at) {
    for (const std::string* part : {&one[at], &other[at]}) {
      std::string_view found = *part;
      incoming_fragments::found what = open.take(found);
      bool is_last = at + 1 == one.size();
      require(
          what == (is_last ? incoming_fragments::found::frame : incoming_fragments::found::part),
          "fragments do not come together");
      require(!is_last || found == frame, "they are another message");
    }
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string frame(reinterpret_cast<const char*>(data), size); // AddressSanitizer knows where it ends
  take_all(frame);
  control_message read;
  if (!parse(frame, read)) {
    return 0;
  }
  for (reason_form form : {reason_form::in_tuple, reason_form::as_payload}) {
    std::string again = written(read, form);
    if (again.empty()) {
      continue;
    }
    control_message same;
    require(parse_control(again, same), "it does not read what it writes");
    come_in_fragments(again);
    require(
        same.op == read.op && same.from == read.from && same.from_name == read.from_name &&
            same.to == read.to && same.ref == read.ref && same.id == read.id && same.reason == read.reason &&
            same.message == read.message,
        "it reads something else than it has written");
  }
  return 0;
}
