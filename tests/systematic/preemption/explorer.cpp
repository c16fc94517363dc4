// SPDX-License-Identifier: BSL-1.0

#include "explorer.hpp"

#include <algorithm>
#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include <ucontext.h>

namespace preemption {
namespace {

// ---- what is said on the command line ----

const char* planted = nullptr;
std::string replayed;
bool must_fail = false;

std::vector<entry*>& entries() {
  static std::vector<entry*> all;
  return all;
}

// ---- one schedule ----

struct step {
  int thread;
  operation what;
  const void* object;
  place where;
  std::uint64_t result;
};

// The first option goes on with the thread that is running, if it can.
struct decision {
  std::array<std::uint8_t, most_threads> options;
  std::uint8_t count;
  std::uint8_t taken;
};

struct fiber {
  std::jmp_buf at;
  bool ended;
  // What it waits for at its next point. Null: nothing.
  is_ready ready;
  const void* object;
  operation what;
  place where;
  std::uint64_t own_changes;
  std::uint64_t seen_changes; // of others
  bool is_chosen;             // for what it does next
  bool has_started;
  alignas(16) std::byte stack[256 * 1024];
};

constexpr std::size_t most_steps = 5000;

fiber fibers[most_threads + 1];
std::jmp_buf explorer_at;
std::array<vector_clock, most_threads + 1> clocks;
std::vector<step> trace;
std::vector<decision> path;
std::size_t depth = 0;
std::vector<std::uint8_t> replay_path;
int running = 0; // zero is the explorer
int threads = 0;
int preemptions_left = 0;
int bound = 0;
std::uint64_t changes = 0;
std::uint64_t schedules = 0;
std::uint64_t points = 0;
const entry* explored = nullptr;
scenario* current = nullptr;

// ---- memory ----

// What a schedule frees is kept until its end, overwritten, so that a use or a second free is seen.
struct alignas(16) block {
  block* next;
  std::size_t size;
  std::size_t offset; // from what malloc gave
  std::uint32_t state;
};
constexpr std::uint32_t in_use = 0xa11c0de5;
constexpr std::uint32_t freed = 0xdeadb10c;
block* quarantine = nullptr;
bool keeps_freed = false;
long live_blocks = 0;

void* take_memory(std::size_t size, std::size_t alignment) {
  std::size_t offset = std::max(sizeof(block), alignment);
  std::size_t all = (size + offset + alignment - 1) & ~(alignment - 1);
  void* raw = alignment > 16 ? std::aligned_alloc(alignment, all) : std::malloc(all);
  if (!raw) {
    throw std::bad_alloc();
  }
  std::byte* result = static_cast<std::byte*>(raw) + offset;
  ::new (static_cast<void*>(result - sizeof(block))) block{nullptr, size, offset, in_use};
  ++live_blocks;
  return result;
}

void free_raw(block* one) noexcept {
  std::free(reinterpret_cast<std::byte*>(one) + sizeof(block) - one->offset);
}

void give_memory(void* pointer) noexcept {
  if (!pointer) {
    return;
  }
  block* one = reinterpret_cast<block*>(static_cast<std::byte*>(pointer) - sizeof(block));
  if (one->state == freed) {
    fail("freed twice");
  }
  --live_blocks;
  one->state = freed;
  if (keeps_freed) {
    std::memset(pointer, 0xdd, one->size);
    one->next = std::exchange(quarantine, one);
  } else {
    free_raw(one);
  }
}

void empty_quarantine() noexcept {
  while (quarantine) {
    free_raw(std::exchange(quarantine, quarantine->next));
  }
}

// ---- who goes on ----

bool can_go_on(int thread) noexcept {
  const fiber& one = fibers[thread];
  return !one.ended && (!one.ready || one.ready(one.object));
}

std::uint8_t decide(const decision& fresh) noexcept {
  if (fresh.count == 1) {
    return fresh.options[0];
  }
  if (depth == path.size()) {
    path.push_back(fresh);
    if (depth < replay_path.size()) {
      path.back().taken = replay_path[depth];
    }
  }
  decision& here = path[depth++];
  if (here.count != fresh.count || here.options != fresh.options || here.taken >= here.count) {
    fail("the scenario does not do the same twice: the explorer cannot be used for it");
  }
  return here.options[here.taken];
}

// Zero if all have ended.
int choose_next() noexcept {
  decision options{};
  bool may_stay = running != 0 && can_go_on(running);
  if (may_stay) {
    options.options[options.count++] = static_cast<std::uint8_t>(running);
  }
  if (!may_stay || preemptions_left > 0) {
    for (int other = 1; other <= threads; ++other) {
      if (other != running && can_go_on(other)) {
        options.options[options.count++] = static_cast<std::uint8_t>(other);
      }
    }
  }
  if (options.count == 0) {
    for (int one = 1; one <= threads; ++one) {
      if (!fibers[one].ended) {
        fail("nobody can go on");
      }
    }
    return 0;
  }
  int next = decide(options);
  preemptions_left -= may_stay && next != running;
  return next;
}

// setjmp, because swapcontext asks the kernel for the signal mask: 370 ns a pair, against 26.
void switch_to(int next) noexcept {
  int self = std::exchange(running, next);
  if (next == self) {
    return;
  }
  std::jmp_buf& here = self == 0 ? explorer_at : fibers[self].at;
  if (_setjmp(here) == 0) {
    _longjmp(next == 0 ? explorer_at : fibers[next].at, 1);
  }
}

void run_fiber() noexcept {
  while (true) {
    int self = running;
    try {
      current->run(self);
    } catch (...) {
      fail("a thread ended with an exception");
    }
    fibers[self].ended = true;
    switch_to(choose_next());
  }
}

void make_fibers() {
  static ucontext_t made[most_threads + 1];
  static ucontext_t back;
  for (int n = 1; n <= most_threads; ++n) {
    auto& one = made[n];
    getcontext(&one);
    one.uc_stack.ss_sp = fibers[n].stack;
    one.uc_stack.ss_size = sizeof(fibers[n].stack);
    one.uc_link = nullptr;
    makecontext(
        &one,
        [] {
          if (_setjmp(fibers[running].at) == 0) {
            setcontext(&back);
          }
          run_fiber();
        },
        0);
    running = n;
    swapcontext(&back, &one);
  }
  running = 0;
}

void run_schedule() {
  depth = 0;
  preemptions_left = bound;
  trace.clear();
  changes = 0;
  clocks = {};
  clocks[0][0] = 1;
  long live = live_blocks;
  keeps_freed = true;

  std::unique_ptr<scenario> made = explored->make();
  current = made.get();
  for (int n = 1; n <= threads; ++n) {
    fiber& one = fibers[n];
    one.ended = false;
    one.ready = nullptr;
    one.own_changes = 0;
    one.seen_changes = changes;
    one.is_chosen = true;
    one.has_started = false;
    clocks[static_cast<std::size_t>(n)] = clocks[0];
    clocks[static_cast<std::size_t>(n)][n] = 1;
  }
  ++clocks[0][0];
  switch_to(choose_next());
  for (int n = 1; n <= threads; ++n) {
    clocks[0].join(clocks[static_cast<std::size_t>(n)]);
  }
  made->finish();
  made.reset();
  current = nullptr;
  keeps_freed = false;
  empty_quarantine();
  if (schedules++ != 0 && live_blocks != live) { // the first one makes statics
    fail(live_blocks > live ? "memory is left over" : "more was freed than this schedule took");
  }
  points += trace.size();
}

// The next in depth first order; false if there is none.
bool next_path() noexcept {
  while (!path.empty()) {
    decision& last = path.back();
    if (++last.taken < last.count) {
      return true;
    }
    path.pop_back();
  }
  return false;
}

// ---- what a failure says ----

const char* name_of(operation what) noexcept {
  switch (what) {
    case operation::load: return "load";
    case operation::store: return "store";
    case operation::exchange: return "exchange";
    case operation::compare: return "compare_exchange";
    case operation::add: return "add";
    case operation::lock: return "lock";
    case operation::try_lock: return "try_lock";
    case operation::unlock: return "unlock";
    case operation::yield: return "yield";
    case operation::wait: return "wait";
    case operation::mark: return "mark";
  }
  return "";
}

const char* file_of(const place& where) noexcept {
  const char* slash = std::strrchr(where.file_name(), '/');
  return slash ? slash + 1 : where.file_name();
}

// Addresses as letters and small numbers, the same in each run.
std::size_t number_of(const void* object) {
  static std::vector<const void*> known;
  auto found = std::find(known.begin(), known.end(), object);
  if (found == known.end()) {
    found = known.insert(known.end(), object);
  }
  return static_cast<std::size_t>(found - known.begin()) + 1;
}

// The bound, and then each decision that is not the first option: after how many that are.
std::string replay_string() {
  std::string result = std::to_string(bound);
  std::size_t firsts = 0;
  for (std::size_t n = 0; n != depth; ++n) {
    if (path[n].taken == 0) {
      ++firsts;
    } else {
      result += '/' + std::to_string(firsts) + ':' + std::to_string(path[n].taken);
      firsts = 0;
    }
  }
  return result;
}

void read_replay_string() {
  char* at = nullptr;
  bound = static_cast<int>(std::strtol(replayed.c_str(), &at, 10));
  while (*at == '/') {
    auto firsts = std::strtoul(at + 1, &at, 10);
    replay_path.insert(replay_path.end(), firsts, 0);
    replay_path.push_back(static_cast<std::uint8_t>(std::strtol(at + 1, &at, 10)));
  }
}

[[noreturn]] void end_badly(const char* why, const place* where) noexcept {
  keeps_freed = false;
  std::printf("%s: %s", explored ? explored->name.data() : "preemption", why);
  if (where) {
    std::printf(" (thread %d, %s:%u)", running, file_of(*where), static_cast<unsigned>(where->line()));
  }
  std::printf(
      "\nschedule %llu, --replay %s\n", static_cast<unsigned long long>(schedules + 1),
      replay_string().c_str());
  for (const step& one : trace) {
    std::printf(
        "  %*s%d %s:%u %s", 4 * (one.thread - 1), "", one.thread, file_of(one.where),
        static_cast<unsigned>(one.where.line()), name_of(one.what));
    if (one.object) {
      std::printf(" #%zu", number_of(one.object));
    }
    if (one.result > 0xffff) {
      std::printf(" -> @%zu", number_of(reinterpret_cast<const void*>(one.result)));
    } else {
      std::printf(" -> %llu", static_cast<unsigned long long>(one.result));
    }
    std::printf("\n");
  }
  for (int n = 1; current && n <= threads; ++n) {
    const fiber& one = fibers[n];
    if (one.ended) {
      std::printf("  thread %d has ended\n", n);
    } else if (one.has_started) {
      std::printf(
          "  thread %d stands at %s:%u %s%s\n", n, file_of(one.where),
          static_cast<unsigned>(one.where.line()), name_of(one.what), can_go_on(n) ? "" : ", waiting");
    }
  }
  std::fflush(stdout);
  std::_Exit(must_fail ? 0 : 1);
}

void crashed(int signal) {
  end_badly(signal == SIGSEGV || signal == SIGBUS ? "a crash: a wild pointer" : "a crash: abort", nullptr);
}

void catch_crashes() {
  static std::byte stack[64 * 1024];
  stack_t where{};
  where.ss_sp = stack;
  where.ss_size = sizeof(stack);
  sigaltstack(&where, nullptr);
  struct sigaction action{};
  action.sa_handler = crashed;
  action.sa_flags = SA_ONSTACK;
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT}) {
    sigaction(signal, &action, nullptr);
  }
}

int explore(const entry& one) {
  explored = &one;
  threads = one.threads;
  auto begin = std::chrono::steady_clock::now();
  do {
    run_schedule();
  } while (replayed.empty() && next_path());
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf(
      "%s: %llu schedules of %d threads, at most %d preemptions, %.1f points each, %.2f s\n", one.name.data(),
      static_cast<unsigned long long>(schedules), threads, bound,
      static_cast<double>(points) / static_cast<double>(schedules), took.count());
  if (must_fail) {
    std::printf("the planted mistake was not found\n");
  }
  return must_fail ? 1 : 0;
}

} // namespace

// ---- what scenarios and instruments call ----

void point(operation what, const void* object, place where, is_ready ready) noexcept {
  int self = running;
  if (self == 0 || !current) {
    return;
  }
  fiber& here = fibers[self];
  here.what = what;
  here.object = object;
  here.where = where;
  here.ready = ready;
  here.has_started = true;
  if (!std::exchange(here.is_chosen, false) || !can_go_on(self)) {
    switch_to(choose_next());
  }
  here.ready = nullptr;
  if (trace.size() == most_steps) {
    fail("it does not end", where);
  }
  trace.push_back({self, what, object, where, 0});
}

void published() noexcept {
  if (running != 0) {
    fibers[running].is_chosen = true;
    switch_to(choose_next());
  }
}

void result(std::uint64_t value) noexcept {
  if (running != 0 && !trace.empty()) {
    trace.back().result = value;
  }
}

void changed() noexcept {
  ++changes;
  ++fibers[running].own_changes;
}

void yield(place where) noexcept {
  int self = running;
  if (self == 0) {
    return;
  }
  fiber& here = fibers[self];
  point(operation::yield, &here, where, [](const void* object) noexcept {
    auto& one = *static_cast<const fiber*>(object);
    return changes - one.own_changes > one.seen_changes;
  });
  here.seen_changes = changes - here.own_changes;
}

int current_thread() noexcept { return running; }

vector_clock& clock() noexcept { return clocks[static_cast<std::size_t>(running)]; }

void release(vector_clock& into) noexcept {
  into.join(clock());
  ++clock()[running];
}

bool is_planted(const char* name) noexcept { return planted && std::strcmp(planted, name) == 0; }

void fail(const char* why, place where) noexcept { end_badly(why, &where); }

entry::entry(const char* named, int thread_count, int preemptions, maker how)
    : name(named), threads(thread_count), bound(preemptions), make(how) {
  entries().push_back(this);
}

} // namespace preemption

void* operator new(std::size_t size) { return preemption::take_memory(size, 16); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return preemption::take_memory(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* pointer) noexcept { preemption::give_memory(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { preemption::give_memory(pointer); }
void operator delete(void* pointer, std::align_val_t) noexcept { preemption::give_memory(pointer); }
void operator delete(void* pointer, std::size_t, std::align_val_t) noexcept {
  preemption::give_memory(pointer);
}

// [--bound <n>] [--replay <string>] [--plant <mutant>] <scenario>
// --are <scenario>...: whether these are all that there are
int main(int count, char** words) {
  using namespace preemption;
  std::vector<std::string_view> arguments(words + 1, words + count);
  if (!arguments.empty() && arguments[0] == "--are") {
    arguments.erase(arguments.begin());
    std::vector<std::string_view> names;
    for (const entry* one : entries()) {
      names.push_back(one->name);
    }
    std::sort(names.begin(), names.end());
    std::sort(arguments.begin(), arguments.end());
    return names == arguments ? 0 : 1;
  }
  int other_bound = -1;
  for (; arguments.size() > 2; arguments.erase(arguments.begin(), arguments.begin() + 2)) {
    if (arguments[0] == "--bound") {
      other_bound = std::atoi(arguments[1].data());
    } else if (arguments[0] == "--replay") {
      replayed = arguments[1];
    } else if (arguments[0] == "--plant") {
      planted = arguments[1].data();
      must_fail = true;
    }
  }
  for (const entry* one : entries()) {
    if (arguments.size() == 1 && one->name == arguments[0]) {
      trace.reserve(most_steps);
      path.reserve(most_steps);
      bound = other_bound >= 0 ? other_bound : one->bound;
      if (!replayed.empty()) {
        read_replay_string();
      }
      catch_crashes();
      make_fibers();
      return explore(*one);
    }
  }
  std::printf("scenarios:\n");
  for (const entry* one : entries()) {
    std::printf("  %s\n", one->name.data());
  }
  return 2;
}
