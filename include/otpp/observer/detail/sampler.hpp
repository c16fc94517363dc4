// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/history.hpp>
#include <otpp/observer/detail/lints.hpp>
#include <otpp/observer/detail/moment.hpp>
#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/reports.hpp>
#include <otpp/observer/detail/restarts.hpp>
#include <otpp/observer/detail/ring.hpp>
#include <otpp/observer/detail/usage.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// All processes, as they were at the last sample.
struct observer_totals {
  std::size_t processes = 0;
  std::size_t queue = 0;
  double messages = 0; // a second
  double busy = 0;
  std::uint64_t changes = 0; // the number of the newest start or end
};

// Looks at all processes once a second, without asking any: computes rates, keeps plots, finds what deserves a look. What
// it keeps is linear in the number of living processes, at some 250 bytes each, and else of fixed size. For one thread.
class sampler {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds dead_linger{10};
  static constexpr std::chrono::seconds overdue_lingers{30};
  static constexpr std::size_t most_dead = 1000;
  static constexpr std::size_t most_waits = 1000; // stuck handlers among which cycles are looked for

  explicit sampler(observer_reports& reports) noexcept : reports_(&reports) {}

  // Takes a sample. Visits every process.
  void sample(const observer_moment& now) {
    const bool is_first = !is_sampling_;
    const double elapsed = is_first ? 0 : (std::max)(in_seconds(now.steady - now_.steady), 1e-3);
    now_ = now;
    is_sampling_ = true;
    reports_->keep_ends(true);
    ++round_;
    waits_.clear();
    totals_ = {0, 0, 0, 0, totals_.changes};
    visit_all(is_first, elapsed);
    take_ends(); // now, because a process tells its end before it is no longer visited
    bury_missing();
    add_new(is_first);
    find_lints();
    expire();
    keep_history();
  }

  // Nobody looks any more. The plots and the sums stay.
  void pause() {
    is_sampling_ = false;
    reports_->keep_ends(false);
    rows_ = std::vector<process_row>(); // with its memory
    dead_ = std::vector<process_row>();
    ends_.clear();
    waits_.clear();
    supervised_.clear();
  }

  // ---- as of the last sample ----

  const observer_moment& now() const noexcept { return now_; }
  const observer_totals& totals() const noexcept { return totals_; }
  const std::vector<process_row>& rows() const noexcept { return rows_; } // by id
  const std::vector<process_row>& dead() const noexcept { return dead_; } // oldest first
  const history& all() const noexcept { return all_; }
  const ring<supervisor_event>& restarted() const noexcept { return restarted_; }
  const restart_log& restarts() const noexcept { return restarts_; }
  const process_usage& usage() const noexcept { return usage_; }
  process_histories& histories() noexcept { return histories_; }
  const ends_told& told() const noexcept { return told_; } // of a process of rows(), too, that is nearly gone

  // Returns a living process, or one that lingers; null if there is none.
  const process_row* find(std::uint64_t id) const noexcept {
    if (const process_row* alive = find_row(rows_, id)) {
      return alive;
    }
    auto gone =
        std::find_if(dead_.begin(), dead_.end(), [&](const process_row& one) { return one.id == id; });
    return gone == dead_.end() ? nullptr : &*gone;
  }

  std::string name_of(std::uint64_t id) const {
    const process_row* one = find(id);
    return one ? one->name : '#' + std::to_string(id);
  }

  // Returns what is special of a supervisor; null if it is none.
  const supervision* supervision_of(std::uint64_t id) const noexcept {
    auto found = supervised_.find(id);
    return found == supervised_.end() ? nullptr : &found->second;
  }
  std::size_t recent_restarts_of(std::uint64_t id) const {
    const supervision* how = supervision_of(id);
    return how ? restarts_.recent(id, now_.steady, how->period) : 0;
  }

  // Returns the cycle of waiting handlers in which a process is, beginning with it; empty if there is none.
  std::vector<std::uint64_t> cycle_of(const process_row& one) const {
    return one.lints.has(lint::deadlock) ? cycle_through(waits_, one.id) : std::vector<std::uint64_t>();
  }

 private:
  void take_ends() {
    told_ = reports_->take_ends();
    for (process_end& one : told_.since) {
      ends_.insert_or_assign(one.id, end_of_row{std::move(one.reason), one.at});
    }
  }

  void visit_all(bool is_first, double elapsed) {
    std::size_t next = 0; // they come in the same order as in the last sample
    new_.clear();
    visit_processes([&](const process_view& view) {
      const std::uint64_t id = view.id();
      process_row* row = next < rows_.size() && rows_[next].id == id ? &rows_[next] : find_row(id);
      const bool is_new = !row;
      if (is_new) {
        new_.push_back(first_row(view));
        row = &new_.back();
      } else {
        next = static_cast<std::size_t>(row - rows_.data()) + 1;
      }
      update(*row, view, is_new, is_first, elapsed);
    });
  }

  void update(process_row& row, const process_view& view, bool is_new, bool is_first, double elapsed) {
    process_sample sample;
    sample.is_asleep = view.is_asleep();
    sample.handling = view.current_message();
    sample.messages = view.messages();
    sample.in_handlers = view.in_handlers();
    sample.handling_for = view.handling_for();
    sample.queue = view.queue_length();
    sample.longest = (std::max)(view.longest_queue(), sample.queue);
    // Read while it changes, a number may be lower than it was.
    sample.in_handlers = (std::max)(sample.in_handlers, row.now.in_handlers);
    sample.longest = (std::max)(sample.longest, row.now.longest);
    if (!is_new || !is_first) { // else it has done that before anybody looked
      usage_.add(row, sample.messages - row.now.messages, sample.in_handlers - row.now.in_handlers);
    }
    row.round = round_;
    if (!is_new && may_be_incomplete(row, view)) {
      learn(row, view.info());
    } else if (!is_new && !row.is_named && (row.samples < 3 || (row.id + round_) % 16 == 0)) {
      take_name(row, view.names()); // it may have got one meanwhile
    }
    row.samples += 1;
    const double age = is_new && !is_first ? in_seconds(now_.steady - row.started) : 0;
    row.update(sample, now_.steady, (std::max)(elapsed, age)); // a new one has done all that since it started
    if (row.lints.has(lint::stuck) && waits_.size() < most_waits) {
      waits_.emplace(row.id, view.info().waits_for);
    }
    totals_.processes += 1;
    totals_.queue += sample.queue;
    totals_.messages += row.rate;
    totals_.busy += row.busy;
  }

  // Returns the row of a living process, or null. `rows` is rows_, const or not.
  template <class Rows>
  static auto find_row(Rows& rows, std::uint64_t id) noexcept -> decltype(rows.data()) {
    auto found = std::lower_bound(
        rows.begin(), rows.end(), id, [](const process_row& one, std::uint64_t key) { return one.id < key; });
    return found != rows.end() && found->id == id ? &*found : nullptr;
  }
  process_row* find_row(std::uint64_t id) noexcept { return find_row(rows_, id); }

  process_row first_row(const process_view& view) {
    process_info info = view.info();
    process_row row;
    row.id = info.id;
    row.parent = info.parent;
    row.name = view.describe();
    if (row.name.size() > 1 && row.name.front() == '"') {
      row.name = row.name.substr(1, row.name.size() - 2); // it was started with it, and may not have it yet
      row.is_named = true;
    }
    row.type = info.type;
    row.started = info.started;
    row.limit = info.mailbox_limit.value_or(0);
    row.context = info.context_number;
    learn(row, std::move(info));
    return row;
  }

  // A process that starts may not know at once whose child it is, and how it supervises.
  static bool may_be_incomplete(const process_row& row, const process_view& view) {
    constexpr unsigned latest = 10; // then it is taken for what it seems to be
    const bool is_in_order = row.is_supervisor == view.is_supervisor() && (row.is_child || row.parent == 0);
    return !is_in_order && row.samples < latest;
  }

  static void take_name(process_row& row, std::vector<std::string> names) {
    if (!names.empty()) {
      row.name = std::move(names.front());
      row.is_named = true;
    }
  }

  void learn(process_row& row, process_info info) {
    take_name(row, std::move(info.names));
    if (info.child && !row.is_child) {
      row.restarts = info.child->restarts;
      row.position = info.child->position;
      row.restart = info.child->restart;
      row.child = std::move(info.child->id);
      row.is_child = true;
      row.is_placed = true;
    }
    if (info.supervises) {
      row.is_supervisor = true;
      supervised_.insert_or_assign(info.id, *info.supervises);
    }
  }

  void bury_missing() {
    std::size_t left = 0;
    for (std::size_t i = 0; i != rows_.size(); ++i) {
      if (rows_[i].round != round_) {
        bury(std::move(rows_[i]));
      } else if (left++ != i) {
        rows_[left - 1] = std::move(rows_[i]);
      }
    }
    rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(left), rows_.end());
  }

  void bury(process_row row) {
    auto end = ends_.find(row.id);
    row.ended = std::make_unique<end_of_row>(
        end == ends_.end() ? end_of_row{"unknown", now_.steady} : std::move(end->second));
    if (end != ends_.end()) {
      ends_.erase(end);
    }
    row.lints = {};
    row.now.queue = 0;
    row.now.is_asleep = true;
    row.now.handling_for.reset();
    row.rate = row.busy = 0;
    supervised_.erase(row.id);
    totals_.changes += 1;
    dead_.push_back(std::move(row));
  }

  void add_new(bool is_first) {
    totals_.changes += new_.size();
    const std::size_t old = rows_.size();
    rows_.insert(rows_.end(), std::make_move_iterator(new_.begin()), std::make_move_iterator(new_.end()));
    auto by_id = [](const process_row& a, const process_row& b) { return a.id < b.id; };
    auto middle = rows_.begin() + static_cast<std::ptrdiff_t>(old);
    std::sort(middle, rows_.end(), by_id);
    if (old != 0 && old != rows_.size() && !by_id(rows_[old - 1], rows_[old])) {
      std::sort(rows_.begin(), rows_.end(), by_id); // a rare case: ids are given in order
    }
    if (is_first) {
      restarts_.keep_only([&](std::uint64_t id) { return find_row(id) != nullptr; });
    }
    new_ = std::vector<process_row>();
    for (process_row& one : rows_) {
      if (std::exchange(one.is_placed, false)) {
        note_restarts(one, is_first);
      }
    }
  }

  // Of a supervisor without a name: an id is no label.
  static std::string label_of(const process_row* supervisor) {
    return supervisor ? std::string(supervisor->type) : "otpp::supervisor";
  }

  void note_restarts(const process_row& one, bool is_first) {
    if (one.restarts == 0) {
      return;
    }
    const process_row* parent = find(one.parent);
    const std::string supervisor = parent ? parent->name : name_of(one.parent);
    const std::uint64_t number = restarts_.add(
        one.parent, parent && parent->is_named ? parent->name : label_of(parent), one.position, one.child,
        one.restarts, one.started, !is_first);
    if (number != 0) {
      const time_point at = (std::min)(one.started, now_.steady);
      const std::string times = number == 1 ? "" : std::to_string(number) + " times";
      restarted_.push(
          {{at, now_.unix_time_of(at)},
           supervisor_event::kind::restarted,
           shorten(parent ? parent->described() : supervisor),
           shorten(one.child),
           times});
    }
  }

  void find_lints() {
    std::vector<std::string> overdue;
    reports_->read([&](const reported& known) {
      known.supervisors.visit([&](const supervisor_event& one) {
        if (one.what == supervisor_event::kind::overdue && now_.steady - one.at.steady < overdue_lingers) {
          overdue.push_back(one.supervisor);
        }
      });
    });
    for (const auto& [id, how] : supervised_) {
      process_row* row = find_row(id);
      if (row) {
        row->lints.set(lint::restart_loop, is_near_intensity(recent_restarts_of(id), how.intensity));
        const std::string described = row->described();
        row->lints.set(
            lint::child_overdue, std::find(overdue.begin(), overdue.end(), described) != overdue.end());
      }
    }
    for (process_row& row : rows_) {
      const bool may_be = row.lints.has(lint::stuck) && !waits_.empty();
      row.lints.set(lint::deadlock, may_be && !cycle_through(waits_, row.id).empty());
    }
  }

  void expire() {
    auto is_old = [&](const process_row& one) { return now_.steady - one.ended->at >= dead_linger; };
    std::erase_if(dead_, is_old);
    if (dead_.size() > most_dead) {
      dead_.erase(dead_.begin(), dead_.end() - static_cast<std::ptrdiff_t>(most_dead));
    }
    std::erase_if(ends_, [&](const auto& one) { return now_.steady - one.second.at >= dead_linger; });
    if (supervised_.empty()) {
      restarts_.keep_only([](std::uint64_t) { return false; });
    } else if (round_ % 64 == 0) {
      restarts_.keep_only([&](std::uint64_t id) { return find_row(id) != nullptr; });
    }
  }

  void keep_history() {
    all_.add(
        {static_cast<float>(totals_.messages), static_cast<float>(totals_.busy),
         static_cast<float>(totals_.queue), static_cast<float>(totals_.processes)},
        now_.steady);
    auto want_top = [&](auto column) { histories_.want_top(rows_, column, now_.steady); };
    want_top([](const process_row& one) { return static_cast<double>(one.now.queue); });
    want_top([](const process_row& one) { return one.rate; });
    want_top([](const process_row& one) { return one.busy; });
    histories_.visit([&](std::uint64_t id, history& points) {
      if (const process_row* row = find_row(id)) {
        points.add(
            {static_cast<float>(row->rate), static_cast<float>(row->busy), static_cast<float>(row->now.queue),
             0},
            now_.steady);
      }
    });
  }

  observer_reports* reports_;
  bool is_sampling_ = false;
  observer_moment now_;
  std::uint64_t round_ = 0;
  observer_totals totals_;
  std::vector<process_row> rows_;
  std::vector<process_row> dead_;
  std::vector<process_row> new_; // while a sample is taken
  std::unordered_map<std::uint64_t, end_of_row> ends_;
  std::unordered_map<std::uint64_t, supervision> supervised_;
  wait_graph waits_;
  restart_log restarts_;
  ring<supervisor_event> restarted_{100};
  process_usage usage_;
  ends_told told_;
  history all_;
  process_histories histories_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
