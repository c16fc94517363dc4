// SPDX-License-Identifier: BSL-1.0

#pragma once

/// The version of otpp: major * 10000 + minor * 100 + patch.
#define OTPP_VERSION 200
