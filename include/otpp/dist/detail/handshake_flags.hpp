// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a node can do, as it says in the handshake: a bit each, by OTP's names (DFLAG_ there).
struct handshake_flags {
  static constexpr std::uint64_t extended_references = 0x4;
  static constexpr std::uint64_t dist_monitor = 0x8;
  static constexpr std::uint64_t fun_tags = 0x10;
  static constexpr std::uint64_t dist_monitor_name = 0x20;
  static constexpr std::uint64_t new_fun_tags = 0x80;
  static constexpr std::uint64_t extended_pids_ports = 0x100;
  static constexpr std::uint64_t export_ptr_tag = 0x200;
  static constexpr std::uint64_t bit_binaries = 0x400;
  static constexpr std::uint64_t new_floats = 0x800;
  static constexpr std::uint64_t small_atom_tags = 0x4000;
  static constexpr std::uint64_t utf8_atoms = 0x10000;
  static constexpr std::uint64_t map_tag = 0x20000;
  static constexpr std::uint64_t big_creation = 0x40000;
  static constexpr std::uint64_t exit_payload = 0x400000;
  static constexpr std::uint64_t fragments = 0x800000;
  static constexpr std::uint64_t handshake_23 = 0x1000000;
  static constexpr std::uint64_t unlink_id = 0x2000000;
  static constexpr std::uint64_t mandatory_25_digest = 0x4000000; // stands for all of mandatory_25
  static constexpr std::uint64_t name_me = std::uint64_t(1) << 33;
  static constexpr std::uint64_t v4_nc = std::uint64_t(1) << 34;
  static constexpr std::uint64_t alias = std::uint64_t(1) << 35;

  // What OTP 25 and later demand of a peer, and what OTP 26 and later do besides. We demand both.
  static constexpr std::uint64_t mandatory_25 = extended_references | fun_tags | extended_pids_ports |
                                                utf8_atoms | new_fun_tags | big_creation | new_floats |
                                                map_tag | export_ptr_tag | bit_binaries | handshake_23;
  static constexpr std::uint64_t mandatory_26 = v4_nc | unlink_id;
  static constexpr std::uint64_t required = mandatory_25 | mandatory_26;

  static constexpr std::uint64_t announced = required | dist_monitor | dist_monitor_name | small_atom_tags |
                                             exit_payload | mandatory_25_digest | alias | fragments;

  // With those that the digest stands for: a peer need not name them any more.
  static constexpr std::uint64_t expanded(std::uint64_t flags) noexcept {
    return (flags & mandatory_25_digest) != 0 ? flags | mandatory_25 : flags;
  }

  static constexpr std::uint64_t missing(std::uint64_t flags) noexcept { return required & ~expanded(flags); }

  // Names of those that we require: "UNLINK_ID, V4_NC".
  static std::string names(std::uint64_t flags) {
    struct named {
      std::uint64_t flag;
      std::string_view name;
    };
    static constexpr std::array<named, 13> all{
        {{extended_references, "EXTENDED_REFERENCES"},
         {fun_tags, "FUN_TAGS"},
         {new_fun_tags, "NEW_FUN_TAGS"},
         {extended_pids_ports, "EXTENDED_PIDS_PORTS"},
         {export_ptr_tag, "EXPORT_PTR_TAG"},
         {bit_binaries, "BIT_BINARIES"},
         {new_floats, "NEW_FLOATS"},
         {utf8_atoms, "UTF8_ATOMS"},
         {map_tag, "MAP_TAG"},
         {big_creation, "BIG_CREATION"},
         {handshake_23, "HANDSHAKE_23"},
         {unlink_id, "UNLINK_ID"},
         {v4_nc, "V4_NC"}}};
    std::string text;
    for (const named& one : all) {
      if ((flags & one.flag) != 0) {
        text += text.empty() ? "" : ", ";
        text += one.name;
      }
    }
    return text;
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
