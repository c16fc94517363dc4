// SPDX-License-Identifier: BSL-1.0

// The main of the programs that use Google Benchmark. It says what they were built with.

#include <asio/version.hpp>

#include <benchmark/benchmark.h>

#include <string>

int main(int argc, char** argv) {
  std::string version = std::to_string(ASIO_VERSION / 100000) + '.' +
                        std::to_string(ASIO_VERSION / 100 % 1000) + '.' + std::to_string(ASIO_VERSION % 100);
  benchmark::AddCustomContext("asio", version);
  benchmark::AddCustomContext("compiler", OTPP_COMPILER);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
