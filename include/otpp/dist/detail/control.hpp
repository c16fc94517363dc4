// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/fragment.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a control message does, by OTP's names and numbers. The forms with a trace token, and those with the reason as payload,
// have numbers of their own, but do the same.
enum class control_op : std::uint8_t {
  link = 1,
  send = 2,
  exit = 3,
  unlink = 4, // of peers without UNLINK_ID; to be ignored
  reg_send = 6,
  group_leader = 7, // to be ignored
  exit2 = 8,
  monitor_p = 19,
  demonitor_p = 20,
  monitor_p_exit = 21,
  send_sender = 22,
  alias_send = 33,
  unlink_id = 35,
  unlink_id_ack = 36,
};

// Whom a control message names: a process, a registered name, or an alias.
using control_place = std::variant<pid_view, std::string_view, ref_view>;

// A control message, and what it carries. All texts are parts of the frame. What an op does not have is empty.
struct control_message {
  control_op op{};
  pid_view from; // all have it but send
  // Of monitor_p_exit, if the monitor named the process so: then instead of `from`, which is empty.
  std::string_view from_name;
  // Of reg_send a name, of alias_send a reference, of monitor_p and demonitor_p a pid or a name, else a pid.
  control_place to;
  ref_view ref;            // of the monitor
  std::uint64_t id = 0;    // of unlink_id and unlink_id_ack; never 0
  std::string_view reason; // of exit, exit2 and monitor_p_exit: a term, without the version byte
  // Of send, send_sender, reg_send and alias_send: a term, without the version byte.
  std::string_view message;
};

// The elements of a control message's tuple, after the op, and what follows the tuple.
struct control_shape {
  enum class part : std::uint8_t {
    end,
    from,
    from_place,
    to,
    to_place,
    name,
    alias,
    ref,
    id,
    reason,
    skipped
  };
  enum class following : std::uint8_t { nothing, a_message, a_reason };

  control_op op{};
  std::array<part, 5> parts{};
  following after = following::nothing;

  // An empty one, without parts, if there is no such number, or if we have not announced what it needs: a peer that sends it
  // is broken.
  static constexpr control_shape of(std::uint64_t number) noexcept {
    using enum part;
    using enum following;
    switch (number) {
      case 1: return {control_op::link, {from, to}};
      case 2: return {control_op::send, {skipped, to}, a_message};
      case 3: return {control_op::exit, {from, to, reason}};
      case 4: return {control_op::unlink, {from, to}};
      case 6: return {control_op::reg_send, {from, skipped, name}, a_message};
      case 7: return {control_op::group_leader, {from, to}};
      case 8: return {control_op::exit2, {from, to, reason}};
      case 12: return {control_op::send, {skipped, to, skipped}, a_message};
      case 13: return {control_op::exit, {from, to, skipped, reason}};
      case 16: return {control_op::reg_send, {from, skipped, name, skipped}, a_message};
      case 18: return {control_op::exit2, {from, to, skipped, reason}};
      case 19: return {control_op::monitor_p, {from, to_place, ref}};
      case 20: return {control_op::demonitor_p, {from, to_place, ref}};
      case 21: return {control_op::monitor_p_exit, {from_place, to, ref, reason}};
      case 22: return {control_op::send_sender, {from, to}, a_message};
      case 23: return {control_op::send_sender, {from, to, skipped}, a_message};
      case 24: return {control_op::exit, {from, to}, a_reason};
      case 25: return {control_op::exit, {from, to, skipped}, a_reason};
      case 26: return {control_op::exit2, {from, to}, a_reason};
      case 27: return {control_op::exit2, {from, to, skipped}, a_reason};
      case 28: return {control_op::monitor_p_exit, {from_place, to, ref}, a_reason};
      case 33: return {control_op::alias_send, {from, alias}, a_message};
      case 34: return {control_op::alias_send, {from, alias, skipped}, a_message};
      case 35: return {control_op::unlink_id, {id, from, to}};
      case 36: return {control_op::unlink_id_ack, {id, from, to}};
      default: return {};
    }
  }
};

inline bool take_term(term_reader& in, std::string_view& bytes) noexcept {
  std::size_t place = in.place();
  bool is_term = in.skip();
  bytes = in.since(place);
  return is_term;
}

inline bool get_control_part(term_reader& in, control_shape::part what, control_message& out) noexcept {
  using part = control_shape::part;
  std::string_view ignored;
  wide_integer number;
  switch (what) {
    case part::from: return get_pid(in, out.from);
    case part::from_place:
      return in.tag() == term_tag::new_pid ? get_pid(in, out.from) : get_atom_text(in, out.from_name);
    case part::to: return get_pid(in, out.to.emplace<pid_view>());
    case part::to_place:
      return in.tag() == term_tag::new_pid ? get_pid(in, out.to.emplace<pid_view>())
                                           : get_atom_text(in, out.to.emplace<std::string_view>());
    case part::name: return get_atom_text(in, out.to.emplace<std::string_view>());
    case part::alias: return get_ref(in, out.to.emplace<ref_view>());
    case part::ref: return get_ref(in, out.ref);
    case part::id:
      if (!number.read(in) || number.is_negative) {
        return false;
      }
      out.id = number.magnitude;
      return out.id != 0;
    case part::reason: return take_term(in, out.reason);
    case part::skipped: return take_term(in, ignored);
    case part::end: break;
  }
  return false;
}

// Reads what begins a whole frame, of either form. Returns false if it is none; `has_versions` says whether terms have a version byte.
inline bool take_frame_header(term_reader& in, bool& has_versions) noexcept {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::uint64_t atoms = 0;
  if (!in.number(1, first) || !in.number(1, second)) {
    return false;
  }
  has_versions = first == pass_through;
  return has_versions ? second == term_version
                      : first == whole_frame[0] && second == whole_frame[1] && in.number(1, atoms) &&
                            atoms == whole_frame[2];
}

// Reads a frame, whole and without its length (fragment.hpp). Returns false if it is none: then the connection must be closed.
// What is carried has been seen to be one whole term, though not to have known atoms. Allocates nothing.
inline bool parse_control(std::string_view frame, control_message& out) noexcept {
  using following = control_shape::following;
  term_reader in(frame);
  std::uint64_t version = 0;
  std::uint64_t number = 0;
  std::size_t size = 0;
  bool has_versions = false;
  if (!take_frame_header(in, has_versions) || !in.tuple(size) || !in.is(term_tag::small_integer) ||
      !in.number(1, number)) {
    return false;
  }
  const control_shape shape = control_shape::of(number);
  out = {};
  out.op = shape.op;
  std::size_t taken = 0;
  for (; taken != shape.parts.size() && shape.parts[taken] != control_shape::part::end; ++taken) {
    if (!get_control_part(in, shape.parts[taken], out)) {
      return false;
    }
  }
  if (taken == 0 || size != taken + 1) {
    return false;
  }
  if (shape.after != following::nothing &&
      ((has_versions && (!in.number(1, version) || version != term_version)) ||
       !take_term(in, shape.after == following::a_message ? out.message : out.reason))) {
    return false;
  }
  return in.left().empty();
}

// Returns a frame that the functions below have made, as a peer gets it that takes no fragments.
inline std::string without_fragments(std::string_view frame) {
  std::string_view carried = frame.substr(whole_frame.size());
  term_reader in(carried);
  std::string_view control;
  take_term(in, control);
  std::string made;
  made.reserve(frame.size());
  made.push_back(static_cast<char>(pass_through));
  made.push_back(static_cast<char>(term_version));
  made.append(control);
  if (!in.left().empty()) {
    made.push_back(static_cast<char>(term_version));
    made.append(in.left());
  }
  return made;
}

// How a reason is sent. As payload if both sides have announced EXIT_PAYLOAD.
enum class reason_form : std::uint8_t { in_tuple, as_payload };

// Each of the functions that follow appends a whole frame, without its length. What it carries, a message or a reason, is to be
// appended after it.

inline void begin_control(term_writer& to, std::size_t size, std::uint64_t number) {
  for (unsigned char each : whole_frame) {
    to.byte(each);
  }
  to.tuple(size);
  to.integer(number);
}

inline void put_control_place(term_writer& to, const control_place& place) {
  if (const auto* process = std::get_if<pid_view>(&place)) {
    put_pid(to, *process);
  } else if (const auto* name = std::get_if<std::string_view>(&place)) {
    to.atom(*name);
  } else {
    put_ref(to, *std::get_if<ref_view>(&place));
  }
}

inline void put_send(term_writer& to, const pid_view& target) {
  begin_control(to, 3, 2);
  to.atom("");
  put_pid(to, target);
}

inline void put_reg_send(term_writer& to, const pid_view& from, std::string_view name) {
  begin_control(to, 4, 6);
  put_pid(to, from);
  to.atom("");
  to.atom(name);
}

inline void put_alias_send(term_writer& to, const pid_view& from, const ref_view& alias) {
  begin_control(to, 3, 33);
  put_pid(to, from);
  put_ref(to, alias);
}

inline void put_link(term_writer& to, const pid_view& from, const pid_view& target) {
  begin_control(to, 3, 1);
  put_pid(to, from);
  put_pid(to, target);
}

// Preconditions of this one and the next: the id is not 0.
inline void put_unlink_id(term_writer& to, std::uint64_t id, const pid_view& from, const pid_view& target) {
  begin_control(to, 4, 35);
  to.integer(id);
  put_pid(to, from);
  put_pid(to, target);
}

inline void put_unlink_id_ack(
    term_writer& to, std::uint64_t id, const pid_view& from, const pid_view& target) {
  begin_control(to, 4, 36);
  to.integer(id);
  put_pid(to, from);
  put_pid(to, target);
}

// The target of a monitor is a pid or a name.
inline void put_monitor_p(
    term_writer& to, const pid_view& from, const control_place& target, const ref_view& ref,
    std::uint64_t number = 19) {
  begin_control(to, 4, number);
  put_pid(to, from);
  put_control_place(to, target);
  put_ref(to, ref);
}

inline void put_demonitor_p(
    term_writer& to, const pid_view& from, const control_place& target, const ref_view& ref) {
  put_monitor_p(to, from, target, ref, 20);
}

// `ended` is as the monitor named it: a pid or a name.
inline void put_monitor_p_exit(
    term_writer& to, const control_place& ended, const pid_view& target, const ref_view& ref,
    reason_form form) {
  bool is_payload = form == reason_form::as_payload;
  begin_control(to, is_payload ? 4 : 5, is_payload ? 28 : 21);
  put_control_place(to, ended);
  put_pid(to, target);
  put_ref(to, ref);
}

inline void put_exit_signal(
    term_writer& to, std::uint64_t number, const pid_view& from, const pid_view& target, reason_form form) {
  begin_control(to, form == reason_form::as_payload ? 3 : 4, number);
  put_pid(to, from);
  put_pid(to, target);
}

// Through a link.
inline void put_exit(term_writer& to, const pid_view& from, const pid_view& target, reason_form form) {
  put_exit_signal(to, form == reason_form::as_payload ? 24 : 3, from, target, form);
}

// As otpp::exit.
inline void put_exit2(term_writer& to, const pid_view& from, const pid_view& target, reason_form form) {
  put_exit_signal(to, form == reason_form::as_payload ? 26 : 8, from, target, form);
}

} // namespace otpp::detail

#pragma GCC visibility pop
