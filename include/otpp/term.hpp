// SPDX-License-Identifier: BSL-1.0

/// Erlang's terms: types of C++ in the external term format and back, for ports, files and queues that Erlang or Elixir have on
/// the other side. Needs nothing but the standard library.

#pragma once

#include <otpp/term/atom.hpp>
#include <otpp/term/binary.hpp>
#include <otpp/term/bytes.hpp>
#include <otpp/term/form.hpp>
#include <otpp/term/limits.hpp>
#include <otpp/term/port.hpp>
#include <otpp/term/reference.hpp>
#include <otpp/term/value.hpp>
