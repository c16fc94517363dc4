// SPDX-License-Identifier: BSL-1.0

// The tests of failing memory as one program, for the mutants that only they can kill.
#define OTPP_DISABLE_BLOCK_CACHE
#define ASIO_DISABLE_STD_ALIGNED_ALLOC
#define ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
#define ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE 0

#include "../memory/client.test.cpp"
#include "../memory/failing_memory.cpp"
#include "../memory/life.test.cpp"
#include "../memory/server.test.cpp"
#include "../memory/relations.test.cpp"
#include "../memory/wake.test.cpp"
