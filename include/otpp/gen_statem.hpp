// SPDX-License-Identifier: BSL-1.0

/// State machines: servers whose handlers are chosen by the state that they are in. OTP's module gen_statem.

#pragma once

#include <otpp/gen_server.hpp>
#include <otpp/gen_statem/gen_statem.hpp>
#include <otpp/gen_statem/states.hpp>
#include <otpp/gen_statem/transition.hpp>
