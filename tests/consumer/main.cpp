// SPDX-License-Identifier: BSL-1.0

// The program that every consumer project builds.
#include <otpp/otpp.hpp>

#include <cstdio>

int main() {
  std::printf("otpp %d\n", OTPP_VERSION);
}
