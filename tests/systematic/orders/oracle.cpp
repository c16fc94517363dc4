// SPDX-License-Identifier: BSL-1.0

#include "oracle.hpp"

#include "support/catch.hpp"
#include "support/probe.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>

#if __has_include(<catch2/interfaces/catch_interfaces_capture.hpp>)
#include <catch2/interfaces/catch_interfaces_capture.hpp>
#endif

// ---- memory: how many blocks are in use ----

namespace {

std::int64_t blocks_in_use = 0;

void* take_block_or_null(std::size_t size) noexcept {
  void* block = std::malloc(size == 0 ? 1 : size);
  blocks_in_use += block ? 1 : 0;
  return block;
}

void* take_block(std::size_t size) {
  void* block = take_block_or_null(size);
  if (!block) {
    throw std::bad_alloc();
  }
  return block;
}

void* take_block(std::size_t size, std::align_val_t alignment) {
  auto align = static_cast<std::size_t>(alignment);
  void* block = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (!block) {
    throw std::bad_alloc();
  }
  ++blocks_in_use;
  return block;
}

void give_block(void* block) noexcept {
  blocks_in_use -= block ? 1 : 0;
  std::free(block);
}

} // namespace

void* operator new(std::size_t size) { return take_block(size); }
void* operator new[](std::size_t size) { return take_block(size); }
// All forms, or AddressSanitizer's own answers the others: the standard library and Catch2 use these two.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return take_block_or_null(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return take_block_or_null(size); }
void operator delete(void* block, const std::nothrow_t&) noexcept { give_block(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { give_block(block); }
void* operator new(std::size_t size, std::align_val_t alignment) { return take_block(size, alignment); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return take_block(size, alignment); }
void operator delete(void* block) noexcept { give_block(block); }
void operator delete[](void* block) noexcept { give_block(block); }
void operator delete(void* block, std::size_t) noexcept { give_block(block); }
void operator delete[](void* block, std::size_t) noexcept { give_block(block); }
void operator delete(void* block, std::align_val_t) noexcept { give_block(block); }
void operator delete[](void* block, std::align_val_t) noexcept { give_block(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { give_block(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { give_block(block); }

namespace scenarios {

namespace {

oracle* watching = nullptr; // for crash reports

std::uint64_t running_server() {
  otpp::detail::turn* here = otpp::detail::turn::current();
  auto* server = here ? static_cast<otpp::detail::server_core*>(here->running()) : nullptr;
  return server ? server->id() : 0;
}

const char* name_of(unsigned how) {
  switch (how) {
    case open: return "nothing";
    case value: return "a value";
    case refused: return "its exception";
    case exited: return "exited";
    case timeout: return "timeout";
    case cancelled: return "cancelled";
    case no_process: return "no_process";
    case no_reply: return "no_reply";
    case mailbox_full: return "mailbox_full";
    case bad_message: return "bad_message";
    case calling_self: return "calling_self";
    case name_taken: return "name_taken";
    case deadlock: return "deadlock";
    case ignored: return "ignored";
    case abandoned: return "its destruction";
    default: return "an unknown error";
  }
}

const char* name_of(oracle::kind what) {
  static constexpr const char* names[] = {"call", "cast", "start", "stop", "join", "wait"};
  return names[static_cast<std::size_t>(what)];
}

ending ending_of(const std::exception_ptr& error) {
  if (!error) {
    return value;
  }
  try {
    std::rethrow_exception(error);
  } catch (const otpp::error& known) {
    switch (static_cast<otpp::errc>(known.code().value())) {
      case otpp::errc::no_process: return no_process;
      case otpp::errc::exited: return exited;
      case otpp::errc::timeout: return timeout;
      case otpp::errc::no_reply: return no_reply;
      case otpp::errc::calling_self: return calling_self;
      case otpp::errc::bad_message: return bad_message;
      case otpp::errc::name_taken: return name_taken;
      case otpp::errc::ignored: return ignored;
      case otpp::errc::mailbox_full: return mailbox_full;
      case otpp::errc::deadlock: return deadlock;
      case otpp::errc::
          already_started: // these are of supervisors and of other nodes, of which there are none here
      case otpp::errc::already_present:
      case otpp::errc::not_found:
      case otpp::errc::running:
      case otpp::errc::max_children:
      case otpp::errc::no_connection:
      case otpp::errc::bad_reply:
      case otpp::errc::draining: break;
    }
    return unknown;
  } catch (const std::system_error& other) {
    return other.code() == asio::error::operation_aborted ? cancelled : unknown;
  } catch (const boom&) {
    return refused;
  } catch (...) {
    return unknown;
  }
}

} // namespace

// ---- the small ones ----

stamp::~stamp() {
  if (!seen_) {
    return;
  }
  if (is_nosy_ && seen_->in) { // would never return in a lock of the library's
    seen_->names.find("nosy");
    otpp::server_name<subject> address("nosy", seen_->names);
    seen_->has_unmarked_casts_ = true;
    otpp::try_cast<tell>(address, stamp(), deed::answer, detail());
  }
  seen_->message_ends(number_);
}

state::state(oracle& by, int number) : seen(&by), life(number) { by.state_begins(number); }
state::~state() {
  if (seen) {
    seen->state_ends(life);
  }
}

step::step(state& in, const stamp* mark) : step(*in.seen, in.life, mark) {}
step::step(oracle& seen, int life, const stamp* mark) : seen_(seen), life_(life) { seen.enter(life, mark); }
step::~step() { seen_.leave(life_); }

operation::~operation() {
  if (!has_ended) {
    seen.end(number, abandoned, 0);
  }
}

ending operation::end(std::exception_ptr error, int answer) {
  has_ended = true;
  ending how = ending_of(error);
  seen.end(number, how, answer);
  return how;
}

// ---- the oracle ----

void crashed(const otpp::crash_report& report);

oracle::oracle() { watching = this; }

oracle::~oracle() { watching = nullptr; }

void crashed(const otpp::crash_report& report) {
  if (!watching) {
    return;
  }
  oracle& seen = *watching;
  for (oracle::life& one : seen.lives_) {
    if (one.id == report.id) {
      seen.expect(!one.was_reported, "I1: a crash is reported twice");
      one.was_reported = true;
      one.dropped = report.dropped;
      seen.expect(!one.has_state, "I4: a crash is reported of a server that still has its state");
    }
  }
  // Nobody has been told yet; but whoever looks up a name here must not find the dead.
  seen.look_at_names(report.id, "the crash hook");
  if (seen.last_words && seen.last_words->id() == report.id) {
    ending how = seen.make_sender().try_cast(*seen.last_words, deed::answer, value);
    seen.expect(how != value, "I1: a server that has ended takes a message");
  }
}

void oracle::violate(const std::string& what) {
  if (violation_.empty()) {
    violation_ = what;
    if (in) {
      in->note("VIOLATION " + what);
    }
  }
}

sender& oracle::make_sender() {
  sender& made = senders_.emplace_back(*this, static_cast<int>(senders_.size()));
  expect(senders_.size() <= most_senders, "too many senders");
  return made;
}

std::uint64_t oracle::id_of_name(std::string_view name) const {
  return names.find(name).id(); // zero for nobody
}

const oracle::life* oracle::life_of(std::uint64_t id) const {
  auto found = std::find_if(lives_.begin(), lives_.end(), [&](const life& one) { return one.id == id; });
  return found == lives_.end() || id == 0 ? nullptr : &*found;
}

bool oracle::is_alive(std::uint64_t id) const {
  const life* one = life_of(id);
  return one && one->has_state;
}

std::string oracle::describe(int number) const {
  const record& one = records_[static_cast<std::size_t>(number)];
  return std::string(name_of(one.what)) + " " + std::to_string(number) + " of sender " +
         std::to_string(one.sender);
}

sender& oracle::sender_of(int number) {
  life& one = lives_[static_cast<std::size_t>(number)];
  if (!one.own) {
    one.own = &make_sender();
  }
  return *one.own;
}

int oracle::new_life(const std::string& name) {
  lives_.emplace_back().name = name;
  return static_cast<int>(lives_.size()) - 1;
}

int oracle::begin(kind what, sender& by, std::uint64_t to, unsigned may_end) {
  record& made = records_.emplace_back();
  made.what = what;
  made.sender = by.number;
  made.sequence = ++by.sequence;
  made.to = to;
  made.may_end = may_end;
  return static_cast<int>(records_.size()) - 1;
}

void oracle::end(int number, unsigned how, int answer) {
  record& one = records_[static_cast<std::size_t>(number)];
  if (++one.ends != 1) {
    violate("I2: " + describe(number) + " ends twice: with " + name_of(one.ended) + " and " + name_of(how));
    return;
  }
  one.ended = how;
  if (in) {
    in->note(describe(number) + " ends with " + name_of(how));
  }
  if (how == abandoned) {
    expect(contexts_go, "I2: the coroutine of an operation is destroyed, and its context is there");
    return;
  }
  if ((how & one.may_end) == 0) {
    violate("I2: " + describe(number) + " ends with " + name_of(how));
  }
  if (one.what == kind::call && how == value && answer != number) {
    violate("I2: " + describe(number) + " gets the answer of " + std::to_string(answer));
  }
  if (one.what == kind::call && how == value && one.handled != 1) {
    violate("I1: " + describe(number) + " has an answer and was not handled");
  }
  // Who hears of an end finds nothing left of the server.
  bool tells_of_end = one.what == kind::call || one.what == kind::cast ? (how & gone) != 0
                      : one.what == kind::stop                         ? (how & (gone | value)) != 0
                                               : one.what == kind::join && how == value;
  if (tells_of_end && one.to != 0) {
    look_at_names(one.to, "one who has heard of its end");
    const life* dead = life_of(one.to);
    if (dead && dead->has_state && !contexts_go) {
      violate("I4: " + describe(number) + " hears of the end of a server that still has its state");
    }
  }
}

void oracle::look_at_names(std::uint64_t gone_id, const char* seen_by) {
  for (const life& one : lives_) {
    if (!one.name.empty() && id_of_name(one.name) == gone_id) {
      violate("I5: the name \"" + one.name + "\" leads to a dead server, for " + seen_by);
    }
  }
}

void oracle::enter(int number, const stamp* mark) {
  if (in) {
    // Not addresses of locals: AddressSanitizer keeps those on a stack of its own.
    auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    deepest_ = (std::max)(deepest_, static_cast<std::size_t>(outermost - here));
  }
  life& one = lives_[static_cast<std::size_t>(number)];
  expect(!one.in_callback, "I4: two callbacks of one server at once");
  one.in_callback = true;
  if (one.has_state) {
    expect(one.terminated == 0, "I4: a callback after terminate");
    expect(running_server() == one.id, "I7: a callback runs outside of its own server");
  }
  if (!mark || mark->number() < 0) {
    return;
  }
  if (one.continues_due != 0) {
    violate("I3: a message is handled before handle_continue, which comes first");
  }
  one.idle_until.reset();
  record& item = records_[static_cast<std::size_t>(mark->number())];
  ++order_;
  if (++item.handled != 1) {
    violate("I1: " + describe(mark->number()) + " is handled twice");
  }
  item.handled_by = number;
  if (item.to != 0 && item.to != one.id) {
    violate("I5: " + describe(mark->number()) + " is handled by another server than it was sent to");
  }
  if (item.ended == no_process || item.ended == mailbox_full ||
      (item.ended == cancelled && item.what == kind::cast)) {
    violate("I1: " + describe(mark->number()) + " is handled, and was not sent, as its sender was told");
  }
  int& last = one.last[static_cast<std::size_t>(item.sender)];
  if (last >= item.sequence) {
    violate("I3: " + describe(mark->number()) + " was overtaken by a later message of its sender");
  }
  last = item.sequence;
}

// A handler that has this to do returns now.
void oracle::wants_next(int number, deed what) {
  life& one = lives_[static_cast<std::size_t>(number)];
  one.continues_due += what == deed::chain ? 1 : 0;
  if (in && (what == deed::idle || what == deed::idle_now)) {
    one.idle_until = in->now() + (what == deed::idle ? 10ms : 0ms);
  }
}

void oracle::terminates(int number) { ++lives_[static_cast<std::size_t>(number)].terminated; }

void oracle::leave(int number) { lives_[static_cast<std::size_t>(number)].in_callback = false; }

void oracle::state_begins(int number) {
  life& one = lives_[static_cast<std::size_t>(number)];
  one.has_state = true;
  one.has_begun = true;
  one.id = running_server();
  for (const life& other : lives_) {
    if (&other != &one && other.has_state && other.name == one.name && !one.name.empty() && !contexts_go) {
      violate("I4: two servers of one name live at once");
    }
  }
}

void oracle::state_ends(int number) {
  life& one = lives_[static_cast<std::size_t>(number)];
  expect(one.has_state, "I6: a state is destroyed twice");
  one.has_state = false;
}

void oracle::message_ends(int number) {
  record& item = records_[static_cast<std::size_t>(number)];
  if (++item.destroyed != 1) {
    violate("I6: the message of " + describe(number) + " is destroyed twice");
  }
}

void oracle::answered(int number, bool told) {
  record& item = records_[static_cast<std::size_t>(number)];
  item.told += told ? 1 : 0;
  if (item.told > 1) {
    violate("I2: two answers have reached " + describe(number));
  }
  if (told && item.ended != open && item.ended != value && item.ended != abandoned) {
    violate("I2: an answer reaches " + describe(number) + ", which had ended with " + name_of(item.ended));
  }
}

// Every server that still lives has handled all that it has taken.
void oracle::check_quiet() {
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const record& one = records_[i];
    int number = static_cast<int>(i);
    if (one.ended == open) {
      violate("I2: " + describe(number) + " has not ended");
    }
    const life* to = life_of(one.to);
    if (to && to->has_state && !to->in_callback && one.handled == 0 && one.what == kind::cast &&
        one.ended == value) {
      violate("I1: " + describe(number) + " was taken, and is not handled by an idle server");
    }
  }
  for (const life& one : lives_) {
    if (one.has_begun && !one.has_state && !contexts_go) {
      expect(one.terminated == 1, "I4: a server has ended, and terminate was not called once");
    }
    if (one.has_state && !contexts_go) {
      expect(!one.idle_until, "I1: a server's own timeout has not come");
      expect(one.continues_due == 0, "I1: handle_continue has not come");
    }
  }
}

void oracle::check_end() {
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const record& one = records_[i];
    int number = static_cast<int>(i);
    if (one.what != kind::call && one.what != kind::cast) {
      continue;
    }
    if (one.destroyed == 0) {
      violate("I6: the message of " + describe(number) + " is left");
    }
    if (one.told != 0 && one.ended != value && one.ended != abandoned) {
      violate("I2: an answer has reached " + describe(number) + ", which ends with " + name_of(one.ended));
    }
    const life* to = life_of(one.to);
    bool was_taken = one.ended == value || (one.what == kind::call && one.handled == 0 &&
                                            (one.ended & (timeout | cancelled | exited)) != 0 && !is_bounded);
    if (!to || !was_taken || one.handled != 0) {
      continue;
    }
    // It was left in the mailbox: then so was all that its sender sent later.
    if (to->last[static_cast<std::size_t>(one.sender)] > one.sequence) {
      violate("I1: " + describe(number) + " was taken and is lost: a later message of its sender is handled");
    }
  }
  for (life& one : lives_) {
    expect(!one.has_state, "I6: a state is left");
    expect(!one.in_callback, "I6: the frame of a callback is left");
    if (one.has_begun && one.terminated > 1) {
      violate("I4: terminate is called twice");
    }
    if (!one.was_reported) {
      continue;
    }
    std::size_t left = 0;
    bool is_known = true;
    for (const record& item : records_) {
      if (item.what == kind::cast && item.to == one.id && item.handled == 0) {
        left += item.ended == value ? 1u : 0u;
        is_known = is_known && item.ended != abandoned;
      }
    }
    if (is_known && !has_unmarked_casts_ && left != one.dropped) {
      violate(
          "I1: " + std::to_string(left) + " casts were left in the mailbox, and " +
          std::to_string(one.dropped) + " are reported");
    }
  }
}

// ---- the rest of a sender ----

asio::awaitable<std::optional<ref>> sender::wait(std::string name, otpp::duration time, unsigned may_end) {
  operation mine(seen, seen.begin(oracle::kind::wait, *this, 0, may_end));
  std::exception_ptr error;
  std::optional<ref> result;
  try {
    auto waiting = otpp::wait_for_name<subject>(std::move(name), time, seen.names);
    ref found = co_await std::move(waiting);
    result = found;
  } catch (...) {
    error = std::current_exception();
  }
  mine.end(error);
  co_return result;
}

action sender::sleep(otpp::duration time) {
  std::exception_ptr error;
  try {
    auto waiting = otpp::wait_for_name<subject>("nobody", time, seen.names);
    ref found = co_await std::move(waiting);
  } catch (...) {
    error = std::current_exception();
  }
  if (ending_of(error) == cancelled) {
    std::rethrow_exception(error);
  }
}

namespace {

// Ends once; that it is destroyed instead is not seen here.
struct ends_call {
  std::shared_ptr<operation> mine;
  asio::any_io_executor on;
  using executor_type = asio::any_io_executor;
  executor_type get_executor() const noexcept { return on; }
  void operator()(std::exception_ptr error, int answer) const {
    if (mine->has_ended) {
      mine->seen.violate("I2: a completion handler is called twice");
    }
    mine->end(std::move(error), answer);
  }
};

} // namespace

void sender::call_with_handler(
    asio::any_io_executor on, ref to, deed what, unsigned may_end, otpp::duration time) {
  auto mine = std::make_shared<operation>(seen, seen.begin(oracle::kind::call, *this, to.id(), may_end));
  otpp::call_for<ask>(to, time, stamp(seen, mine->number), what, detail(), ends_call{mine, std::move(on)});
}

// ---- the handlers ----

namespace {

otpp::outcome<int> done(deed what, int number, oracle& seen, state& s) {
  switch (what) {
    case deed::crash: throw boom();
    case deed::quit: return otpp::stop(otpp::exit_reason::normal(), number);
    case deed::leave: return otpp::stop();
    case deed::refuse: return otpp::fail(boom());
    case deed::idle: return otpp::outcome<int>(number).timeout(10ms);
    case deed::idle_now: return otpp::outcome<int>(number).timeout(0ms);
    case deed::chain: return otpp::outcome<int>(number).then(proceed{2});
    case deed::release: {
      std::vector<kept_caller> kept = std::move(s.kept);
      for (kept_caller& one : kept) {
        bool told = one.from.reply(one.number);
        seen.answered(one.number, told);
      }
      return number;
    }
    default: return number;
  }
}

otpp::outcome<> done_without_answer(deed what, int number, oracle& seen, state& s) {
  switch (what) {
    case deed::quit:
    case deed::leave: return otpp::stop();
    case deed::refuse: return otpp::fail(boom());
    case deed::idle: return otpp::outcome<>().timeout(10ms);
    case deed::idle_now: return otpp::outcome<>().timeout(0ms);
    case deed::chain: return otpp::outcome<>().then(proceed{1});
    default: done(what, number, seen, s); return {};
  }
}

void done_with_caller(deed what, int number, otpp::caller<int> from, state& s) {
  oracle& seen = *s.seen;
  switch (what) {
    case deed::keep: s.kept.push_back({number, std::move(from)}); return;
    case deed::keep_outside: seen.kept_outside.push_back({number, std::move(from)}); return;
    case deed::drop: return;
    case deed::refuse: from.fail(boom()); return;
    case deed::crash: throw boom();
    default: break;
  }
  bool told = from.reply(number);
  seen.answered(number, told);
  if (what == deed::answer_twice) {
    bool again = from.reply(-1);
    seen.expect(!again, "I2: a second answer reaches somebody");
  }
  if (what == deed::answer_and_crash) {
    throw boom();
  }
}

// What needs other servers.
template <bool EndsSlowly>
action do_with_others(deed what, const detail& how, oracle& seen, sender& me) {
  switch (what) {
    case deed::relay: {
      co_await me.call(*how.other, deed::answer, value | gone | timeout | no_reply | how.ring, how.time);
      break;
    }
    case deed::cast_on: {
      co_await me.cast(*how.other, deed::answer, value | gone);
      break;
    }
    case deed::stop_other: {
      co_await me.stop(*how.other, value | gone | timeout | how.ring, how.time);
      break;
    }
    case deed::call_self: {
      auto self = otpp::self<subject_of<EndsSlowly>>();
      co_await me.call(self, deed::answer, calling_self);
      break;
    }
    case deed::stop_self: {
      auto self = otpp::self<subject_of<EndsSlowly>>();
      co_await me.stop(self, calling_self);
      break;
    }
    case deed::cast_self: {
      auto self = otpp::self<subject_of<EndsSlowly>>();
      unsigned may_end = seen.is_bounded ? value | mailbox_full : value;
      co_await me.cast(self, deed::answer, may_end);
      break;
    }
    case deed::start_other: {
      auto other = co_await me.start<subject>(otpp::options(), value | no_process | exited);
      if (other) {
        ref started = *other;
        co_await me.stop(started, value | gone);
      }
      break;
    }
    default: break;
  }
}

} // namespace

template <bool EndsSlowly>
otpp::init_result<state> subject_of<EndsSlowly>::init(setup how) {
  step here(*how.seen, how.life, nullptr);
  switch (how.what) {
    case deed::crash: throw boom();
    case deed::ignore: return otpp::ignore;
    case deed::leave: return otpp::stop(otpp::exit_reason(boom()));
    case deed::chain:
      ++how.seen->lives_[static_cast<std::size_t>(how.life)].continues_due;
      return otpp::init_result<state>(state(*how.seen, how.life)).then(proceed{0});
    default: return state(*how.seen, how.life);
  }
}

template <bool EndsSlowly>
asio::awaitable<otpp::init_result<state>> subject_of<EndsSlowly>::init(slow_setup how) {
  step here(*how.seen, how.life, nullptr);
  for (int i = 0; i < how.steps; ++i) {
    co_await asio::post(asio::use_awaitable);
  }
  if (how.what == deed::crash) {
    throw boom();
  }
  co_return otpp::init_result<state>(state(*how.seen, how.life));
}

template <bool EndsSlowly>
otpp::outcome<int> subject_of<EndsSlowly>::handle_call(ask m, state& s) {
  step here(s, &m.mark);
  s.seen->wants_next(s.life, m.what);
  return done(m.what, m.mark.number(), *s.seen, s);
}

template <bool EndsSlowly>
asio::awaitable<otpp::outcome<int>> subject_of<EndsSlowly>::handle_call(ask_slowly m, state& s) {
  step here(s, &m.mark);
  if (m.what >= deed::relay && m.what <= deed::start_other) {
    co_await do_with_others<EndsSlowly>(m.what, m.how, *s.seen, s.seen->sender_of(s.life));
  } else {
    for (int i = 0; i < m.how.steps; ++i) {
      co_await asio::post(asio::use_awaitable);
    }
  }
  s.seen->expect(
      running_server() == s.seen->lives_[static_cast<std::size_t>(s.life)].id,
      "I7: a handler goes on outside of its own server");
  s.seen->wants_next(s.life, m.what);
  co_return done(m.what, m.mark.number(), *s.seen, s);
}

template <bool EndsSlowly>
void subject_of<EndsSlowly>::handle_call(ask_later m, otpp::caller<int> from, state& s) {
  step here(s, &m.mark);
  done_with_caller(m.what, m.mark.number(), std::move(from), s);
}

template <bool EndsSlowly>
action subject_of<EndsSlowly>::handle_call(ask_later_slowly m, otpp::caller<int> from, state& s) {
  step here(s, &m.mark);
  for (int i = 0; i < m.how.steps; ++i) {
    co_await asio::post(asio::use_awaitable);
  }
  done_with_caller(m.what, m.mark.number(), std::move(from), s);
}

template <bool EndsSlowly>
otpp::outcome<> subject_of<EndsSlowly>::handle_cast(tell m, state& s) {
  step here(s, &m.mark);
  s.seen->wants_next(s.life, m.what);
  return done_without_answer(m.what, m.mark.number(), *s.seen, s);
}

template <bool EndsSlowly>
asio::awaitable<otpp::outcome<>> subject_of<EndsSlowly>::handle_cast(tell_slowly m, state& s) {
  step here(s, &m.mark);
  if (m.what >= deed::relay && m.what <= deed::start_other) {
    co_await do_with_others<EndsSlowly>(m.what, m.how, *s.seen, s.seen->sender_of(s.life));
  } else {
    for (int i = 0; i < m.how.steps; ++i) {
      co_await asio::post(asio::use_awaitable);
    }
  }
  s.seen->wants_next(s.life, m.what);
  co_return done_without_answer(m.what, m.mark.number(), *s.seen, s);
}

template <bool EndsSlowly>
otpp::outcome<> subject_of<EndsSlowly>::handle_info(tell m, state& s) {
  step here(s, &m.mark);
  return done_without_answer(m.what, m.mark.number(), *s.seen, s);
}

template <bool EndsSlowly>
otpp::outcome<> subject_of<EndsSlowly>::handle_info(otpp::timeout, state& s) {
  step here(s, nullptr);
  oracle::life& life = s.seen->lives_[static_cast<std::size_t>(s.life)];
  s.seen->expect(life.idle_until.has_value(), "I1: a server's own timeout comes after a message has come");
  s.seen->expect(
      !life.idle_until || *life.idle_until <= s.seen->in->now(), "I1: a server's own timeout comes early");
  life.idle_until.reset();
  return {};
}

template <bool EndsSlowly>
otpp::outcome<> subject_of<EndsSlowly>::handle_continue(proceed m, state& s) {
  step here(s, nullptr);
  oracle::life& life = s.seen->lives_[static_cast<std::size_t>(s.life)];
  s.seen->expect(life.continues_due > 0, "I1: handle_continue comes, and nobody asked for it");
  --life.continues_due;
  if (m.times > 1) {
    ++life.continues_due;
    return otpp::outcome<>().then(proceed{m.times - 1});
  }
  return {};
}

template <>
void subject_of<false>::terminate(const otpp::exit_reason&, state& s) {
  step here(s, nullptr);
  s.seen->terminates(s.life);
}

template <>
action subject_of<true>::terminate(const otpp::exit_reason&, state& s) {
  step here(s, nullptr);
  co_await asio::post(asio::use_awaitable);
  co_await asio::post(asio::use_awaitable);
  s.seen->terminates(s.life);
}

template struct subject_of<false>;
template struct subject_of<true>;

// ---- exploring ----

namespace {

// How many schedules a scenario gets for each turn limit. OTPP_ORDERS_SIZE is `ci`, `verify`, or a number.
constexpr std::uint64_t ci_budget = 850 / (slowdown == 1 ? 1 : 8);
constexpr std::uint64_t verify_budget = 90'000; // times 130, of which some have fewer: 10^7

std::uint64_t budget() {
  static const std::uint64_t result = [] {
    const char* wanted = std::getenv("OTPP_ORDERS_SIZE");
    std::string text = wanted ? wanted : "ci";
    return text == "ci" ? ci_budget : text == "verify" ? verify_budget : std::stoull(text);
  }();
  return result;
}

// The number of a bug that is to be found (planted_bugs.cmake), or null.
const char* planted_bug() { return std::getenv("OTPP_PLANTED_BUG"); }

std::uint64_t all_schedules = 0;

// At the end: for who adds up what the tests have run.
struct total {
  ~total() {
    if (all_schedules != 0) { // it lists its tests
      std::printf("orders: %llu schedules in all\n", static_cast<unsigned long long>(all_schedules));
    }
  }
} prints_total;

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception of another kind";
  }
}

// One run, judged. Returns what is wrong, or nothing.
std::string play_once(
    otpp::testing::schedule& decides, int turn_limit, scenario play, bool counts_blocks,
    std::vector<std::string>* trace) {
  std::int64_t before = blocks_in_use;
  std::string wrong;
  {
    oracle seen;
    {
      world one(decides, trace != nullptr);
      one.set_turn_limit(turn_limit);
      seen.in = &one;
      seen.outermost = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
      std::string thrown;
      {
        stage here(seen, one);
        try {
          play(here);
          one.finish();
          seen.check_quiet();
        } catch (...) {
          thrown = text_of(std::current_exception());
        }
        if (!thrown.empty()) {
          seen.violate(thrown);
        }
        if (trace) {
          *trace = one.trace();
        }
        seen.contexts_go = true;
        here.server.reset();
      }
    }
    seen.in = nullptr;
    seen.kept_outside.clear();
    seen.last_words.reset();
    seen.check_end();
    wrong = seen.violation();
  }
  if (counts_blocks && wrong.empty() && blocks_in_use != before) {
    wrong = "I6: " + std::to_string(blocks_in_use - before) + " blocks of memory are left";
  }
  return wrong;
}

// Runs schedules until one fails. Returns how many, and whether these were all that there are.
struct explored {
  std::uint64_t schedules = 0;
  bool is_complete = false;
};

[[noreturn]] void fail(
    const std::string& wrong, const std::string& replay, int turn_limit, scenario play,
    std::uint64_t number) {
  std::string name = Catch::getResultCapture().getCurrentTestName();
  if (planted_bug()) {
    // What the run was for. Nothing may be touched any more.
    std::printf(
        "planted bug %s found by \"%s\" with turns of %d in schedule %llu, %llu of all: %s\n", planted_bug(),
        name.c_str(), turn_limit, static_cast<unsigned long long>(number),
        static_cast<unsigned long long>(all_schedules), wrong.c_str());
    std::fflush(stdout);
    std::_Exit(0);
  }
  std::string text = wrong + "\nin schedule " + std::to_string(number) +
                     "; to run it again: OTPP_ORDERS_REPLAY=" + std::to_string(turn_limit) + "/" + replay +
                     "\n";
  otpp::testing::schedule again(otpp::testing::orders::replay(replay));
  again.next();
  std::vector<std::string> trace;
  play_once(again, turn_limit, play, false, &trace);
  for (const std::string& line : trace) {
    text += line + '\n';
  }
  FAIL(text);
  std::abort();
}

explored run(otpp::testing::orders which, int turn_limit, scenario play, std::uint64_t skip) {
  explored result;
  otpp::testing::schedule decides(std::move(which));
  while (decides.next()) {
    ++result.schedules;
    ++all_schedules;
    // In the first schedule the path itself gets its memory.
    std::string wrong = play_once(decides, turn_limit, play, result.schedules > 1, nullptr);
    if (!wrong.empty()) {
      fail(wrong, decides.text(), turn_limit, play, skip + result.schedules);
    }
  }
  result.is_complete = decides.is_exhausted();
  return result;
}

} // namespace

void explore(std::initializer_list<int> turn_limits, scenario play) {
  using otpp::testing::orders;
  static otpp::subscription crashes = otpp::subscribe<otpp::crash_report>(&crashed);
#if defined(OTPP_HAS_PLANTED_BUGS)
  otpp_planted_bug = planted_bug() ? std::atoi(planted_bug()) : 0;
#endif
  const std::string name = Catch::getResultCapture().getCurrentTestName();
  if (const char* text = std::getenv("OTPP_ORDERS_REPLAY")) {
    std::string both = text; // "<turn limit>/<replay>"
    int turn_limit = std::stoi(both);
    run(orders::replay(both.substr(both.find('/') + 1)), turn_limit, play, 0);
    SUCCEED();
    return;
  }
  for (int turn_limit : turn_limits) {
    auto begin = std::chrono::steady_clock::now();
    // Once for all that is made lazily and kept; then once more, with every block counted.
    for (int i = 0; i < 2; ++i) {
      otpp::testing::schedule first(orders::fifo());
      first.next();
      std::string wrong = play_once(first, turn_limit, play, i == 1, nullptr);
      if (!wrong.empty()) {
        fail(wrong, "", turn_limit, play, 1);
      }
    }
    // As many deviations as the budget allows; what is left of it goes to random orders.
    std::uint64_t ran = 0;
    std::uint64_t last = 1;
    std::uint64_t one_deviation = 1;
    unsigned deviations = 0;
    bool is_complete = false;
    while (!is_complete) {
      std::uint64_t expected = deviations == 0 ? 1 : last * one_deviation / (deviations + 1);
      if (ran + expected > budget() && deviations != 0) {
        break;
      }
      explored done = run(orders::all(deviations + 1).at_most(budget()), turn_limit, play, ran);
      ran += done.schedules;
      ++deviations;
      bool is_all = done.schedules == last;
      last = done.schedules;
      one_deviation = deviations == 1 ? done.schedules : one_deviation;
      is_complete = is_all || !done.is_complete;
    }
    std::uint64_t random = ran < budget() && last > 1 && deviations < 8 ? budget() - ran : 0;
    if (random != 0) {
      ran += run(orders::random(deviations, random), turn_limit, play, ran).schedules;
    }
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf(
        "%s, turns of %d: %llu schedules, %llu of at most %u deviations, %.2f s\n", name.c_str(), turn_limit,
        static_cast<unsigned long long>(ran), static_cast<unsigned long long>(last), deviations, seconds);
  }
  SUCCEED();
}

} // namespace scenarios
