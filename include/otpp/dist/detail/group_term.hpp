// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/groups_options.hpp>
#include <otpp/term/atom.hpp>
#include <otpp/term/value.hpp>

#include <optional>
#include <string>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The name of a group as a term. Throws std::invalid_argument if it is to be an atom, and cannot.
inline term term_of_group(const std::string& name, dist::group_names what) {
  return what == dist::group_names::atoms ? term::of(atom(name)) : term::of(name);
}

// Nothing if it is a term of another kind. Not the charlist either, as the group of that name would be the binary's, too.
inline std::optional<std::string> group_of_term(const term& name, dist::group_names what) {
  term_view::kind found = name.view().what();
  if (what == dist::group_names::binaries) {
    return found == term_view::kind::binary ? name.get<std::string>() : std::nullopt;
  }
  std::optional<atom> text = found == term_view::kind::atom ? name.get<atom>() : std::nullopt;
  return text ? std::optional(text->text()) : std::nullopt;
}

} // namespace otpp::detail

#pragma GCC visibility pop
