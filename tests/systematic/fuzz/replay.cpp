// SPDX-License-Identifier: BSL-1.0

// Feeds every file of the folders that are named to a fuzz target: the corpus, as a test, without a fuzzer.

#if defined(OTPP_HAS_PLANTED_BUGS)
#include <otpp/detail/queue/task.hpp> // otpp_planted_bug, of tests/systematic/orders/planted_bugs.cmake
#endif

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** folders) {
#if defined(OTPP_HAS_PLANTED_BUGS)
  if (const char* number = std::getenv("OTPP_PLANTED_BUG")) {
    otpp_planted_bug = std::atoi(number);
    std::signal(SIGABRT, [](int) { std::_Exit(EXIT_FAILURE); }); // what is said is looked at, and no crash
  }
#endif
  std::size_t files = 0;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folders[i])) {
      if (!entry.is_regular_file()) {
        continue;
      }
      std::ifstream file(entry.path(), std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      std::printf("%s\n", entry.path().filename().c_str());
      std::fflush(stdout); // the last one printed is the one that fails
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      ++files;
    }
  }
  std::printf("%zu inputs\n", files);
  return files == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
