// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

// What is written to stderr while it lives, instead of there.
class captured_stderr {
 public:
  captured_stderr()
      : name_(unused_name()), file_(std::fopen(name_.string().c_str(), "w+")), before_(::dup(2)) {
    if (!file_) {
      throw std::runtime_error("captured_stderr: " + name_.string() + " cannot be opened");
    }
    std::fflush(stderr);
    ::dup2(::fileno(file_), 2);
  }
  captured_stderr(const captured_stderr&) = delete;
  captured_stderr& operator=(const captured_stderr&) = delete;
  ~captured_stderr() {
    restore();
    std::fclose(file_);
    std::error_code ignored;
    std::filesystem::remove(name_, ignored);
  }

  // Returns true if something has been written; capturing goes on.
  bool has_text() const {
    std::fflush(stderr);
    return ::lseek(::fileno(file_), 0, SEEK_END) > 0;
  }

  std::string text() {
    restore();
    std::rewind(file_);
    std::string result;
    char buffer[256];
    while (std::size_t n = std::fread(buffer, 1, sizeof(buffer), file_)) {
      result.append(buffer, n);
    }
    return result;
  }

 private:
  // Not std::tmpfile(), which has no folder that it may write to in Wine.
  static std::filesystem::path unused_name() {
    static std::atomic<int> count{0};
    std::string name = "otpp." + std::to_string(::getpid()) + "." + std::to_string(++count);
    return std::filesystem::temp_directory_path() / name;
  }

  void restore() {
    if (before_ >= 0) {
      std::fflush(stderr);
      ::dup2(before_, 2);
      ::close(std::exchange(before_, -1));
    }
  }

  std::filesystem::path name_;
  std::FILE* file_;
  int before_;
};
