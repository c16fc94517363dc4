// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <unistd.h>

#include <fstream>

// How much memory of this program is in use, in KiB. On Linux; zero elsewhere.
inline long resident_kib() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}
