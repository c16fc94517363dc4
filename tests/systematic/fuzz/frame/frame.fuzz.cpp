// SPDX-License-Identifier: BSL-1.0

// What a peer sends after the handshake: any bytes as a frame. What is taken for a control message carries a whole term, and is
// the same after it was written and read again.

#include <otpp/dist/detail/control.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

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

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string frame(reinterpret_cast<const char*>(data), size); // AddressSanitizer knows where it ends
  control_message read;
  if (!parse_control(frame, read)) {
    return 0;
  }
  require(read.reason.empty() || is_term(read.reason), "a reason is no term");
  require(read.message.empty() || is_term(read.message), "a message is no term");
  for (reason_form form : {reason_form::in_tuple, reason_form::as_payload}) {
    std::string again = written(read, form);
    if (again.empty()) {
      continue;
    }
    control_message same;
    require(parse_control(again, same), "it does not read what it writes");
    require(
        same.op == read.op && same.from == read.from && same.from_name == read.from_name &&
            same.to == read.to && same.ref == read.ref && same.id == read.id && same.reason == read.reason &&
            same.message == read.message,
        "it reads something else than it has written");
  }
  return 0;
}
