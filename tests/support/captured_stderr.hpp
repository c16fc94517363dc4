// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>

// What is written to stderr while it lives, instead of there.
class captured_stderr {
 public:
  captured_stderr() : file_(open_file()), before_(::dup(2)) {
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
  // A file that is gone when it is closed.
  static std::FILE* open_file() {
#if defined(_WIN32)
    // std::tmpfile() would have it in the root of the drive, where it may not be.
    static std::atomic<int> count{0};
    std::string name = "otpp." + std::to_string(::getpid()) + "." + std::to_string(++count);
    std::FILE* file = std::fopen((std::filesystem::temp_directory_path() / name).string().c_str(), "w+D");
#else
    std::FILE* file = std::tmpfile();
#endif
    return file ? file : throw std::runtime_error("captured_stderr: no file for it");
  }

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
