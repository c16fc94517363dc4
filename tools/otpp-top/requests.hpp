// SPDX-License-Identifier: BSL-1.0

// What is asked of the observer for a page, and what its answers, or their absence, mean.

#pragma once

#include "http_get.hpp"
#include "options.hpp"
#include "view.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace top {

inline constexpr std::chrono::milliseconds patience{3000};

inline constexpr const char* totals_target = "/api/v1/tick";

// For the page that is shown; empty where it needs nothing from the program.
std::string target_of(const state& now, std::size_t rows);

std::string status_target_of(const state& now);

// A sentence that says what to do; empty where there is an answer that can be read.
std::string explain(const http_result& result, const options& given);

// The same for an answer that is not what the page needs.
std::string not_understood(const options& given);

// Puts the answer to target_of() into the state; false where it is not what the page needs.
bool take_answer(state& now, const std::string& body);

} // namespace top
