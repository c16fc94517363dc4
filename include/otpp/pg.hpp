// SPDX-License-Identifier: BSL-1.0

/// Groups of processes. OTP's module pg.

#pragma once

#include <otpp/registry/pg.hpp>
