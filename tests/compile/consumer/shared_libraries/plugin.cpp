// SPDX-License-Identifier: BSL-1.0

#include "account.hpp"

extern "C" EXPORTED void open_plugin(branch& made) { made = make_branch(); }
