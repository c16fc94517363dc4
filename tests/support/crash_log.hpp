// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/crash_report.hpp>

#include <cstddef>
#include <string>
#include <vector>

// Keeps crash reports off stderr, and for the test to see, while it lives. For one thread.
class crash_log {
 public:
  crash_log() = default;
  crash_log(const crash_log&) = delete;
  crash_log& operator=(const crash_log&) = delete;

  const std::vector<std::string>& texts() const { return texts_; }

  // How many casts and infos the server that crashed last left behind.
  std::size_t dropped() const { return dropped_; }

 private:
  std::vector<std::string> texts_;
  std::size_t dropped_ = 0;
  otpp::subscription reports_ = otpp::subscribe<otpp::crash_report>([this](const otpp::crash_report& report) {
    texts_.push_back(report.text());
    dropped_ = report.dropped;
  });
};
