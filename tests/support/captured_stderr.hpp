// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

// What is written to stderr while it lives, instead of there.
class captured_stderr {
 public:
  captured_stderr() : file_(std::tmpfile()), before_(::dup(2)) {
    std::fflush(stderr);
    ::dup2(::fileno(file_), 2);
  }
  captured_stderr(const captured_stderr&) = delete;
  captured_stderr& operator=(const captured_stderr&) = delete;
  ~captured_stderr() {
    restore();
    std::fclose(file_);
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
  void restore() {
    if (before_ >= 0) {
      std::fflush(stderr);
      ::dup2(before_, 2);
      ::close(std::exchange(before_, -1));
    }
  }

  std::FILE* file_;
  int before_;
};
