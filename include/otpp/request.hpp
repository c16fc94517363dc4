// SPDX-License-Identifier: BSL-1.0

/// Calls whose answers are waited for later, or for many servers at once. OTP's send_request, request collections and multi_call.

#pragma once

#include <otpp/request/multi_call.hpp>
#include <otpp/request/request_set.hpp>
#include <otpp/request/response.hpp>
#include <otpp/request/send_request.hpp>
