// SPDX-License-Identifier: BSL-1.0

#include "account.hpp"

EXPORTED branch open_bank() { return make_branch(); }
