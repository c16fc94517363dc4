// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/json.hpp>
#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/sampler.hpp>
#include <otpp/observer/detail/show.hpp>
#include <otpp/supervisor/supervision.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline std::string_view name_of(restart_type one) noexcept {
  return one == restart_type::permanent   ? "permanent"
         : one == restart_type::transient ? "transient"
                                          : "temporary";
}

inline std::string_view name_of(strategy one) noexcept {
  return one == strategy::one_for_one   ? "one_for_one"
         : one == strategy::one_for_all ? "one_for_all"
                                        : "rest_for_one";
}

// Who has started whom. Children are in the order of their supervisor, in which a restarted one keeps its place; roots that
// supervise or have children come first.
class process_tree {
 public:
  static constexpr std::size_t most_nodes = 2000;

  // At most `n` children of each are shown, and `depth` levels.
  process_tree(const sampler& from, std::size_t depth, std::size_t n) : from_(from), n_(n) {
    for (const std::vector<process_row>* list : {&from.rows(), &from.dead()}) {
      for (const process_row& one : *list) {
        const bool is_root = one.parent == 0 || !from.find(one.parent);
        (is_root ? roots_.all : children_[one.parent].all).push_back(&one);
      }
    }
    cut(roots_, [&](row a, row b) {
      const bool first = is_inner(*a);
      return first == is_inner(*b) ? a->id < b->id : first;
    });
    choose(roots_, depth);
  }

  void write(json_writer& json) const {
    json.object([&] {
      json.member("time", from_.now().unix_time);
      json.key("roots").array([&] {
        for (row one : roots_.all) {
          write(json, *one);
        }
      });
      json.member("more", roots_.more);
    });
  }

 private:
  using row = const process_row*;
  struct family {
    std::vector<row> all;
    std::size_t more = 0; // that are not shown
    bool is_shown = false;
  };

  bool is_inner(const process_row& one) const { return one.is_supervisor || children_.contains(one.id); }

  template <class Before>
  void cut(family& of, Before before) const {
    const std::size_t shown = (std::min)(n_, of.all.size());
    std::partial_sort(
        of.all.begin(), of.all.begin() + static_cast<std::ptrdiff_t>(shown), of.all.end(), before);
    of.more = of.all.size() - shown;
    of.all.resize(shown);
  }

  // Decides which are shown, level by level: what is left out is deep down.
  void choose(family& roots, std::size_t depth) {
    std::vector<family*> level{&roots};
    for (std::size_t i = 0; i != depth && !level.empty(); ++i) {
      std::vector<family*> next;
      for (family* of : level) {
        const std::size_t shown = (std::min)(of->all.size(), most_nodes - chosen_);
        of->more += of->all.size() - shown;
        of->all.resize(shown);
        of->is_shown = true;
        for (row one : of->all) {
          ++chosen_;
          auto found = children_.find(one->id);
          if (found != children_.end()) {
            cut(found->second, [](row a, row b) {
              return a->position == b->position ? a->id < b->id : a->position < b->position;
            });
            next.push_back(&found->second);
          }
        }
      }
      level = std::move(next);
    }
  }

  void write(json_writer& json, const process_row& one) const {
    auto family_of = children_.find(one.id);
    json.object([&] {
      json.member("id", one.id).member("name", one.name).member("type", one.type);
      json.member("child", one.is_child ? std::optional<std::string_view>(one.child) : std::nullopt);
      json.member("restart", one.is_child ? std::optional(name_of(one.restart)) : std::nullopt);
      json.key("supervisor");
      if (const supervision* how = from_.supervision_of(one.id)) {
        json.object([&] {
          json.member("strategy", name_of(how->how)).member("intensity", how->intensity);
          json.member("period", in_seconds(how->period)).member("recent", from_.recent_restarts_of(one.id));
        });
      } else {
        json.value(nullptr);
      }
      json.member("restarts", one.restarts).member("handling", handling_of(one));
      json.member("handling_for", handling_seconds(one, from_.now())).member("queue", one.now.queue);
      write_ended(json, one, from_.now());
      write_lints(json, one);
      const bool has_family = family_of != children_.end();
      const bool is_open = has_family && family_of->second.is_shown;
      json.key("children").array([&] {
        if (is_open) {
          for (row child : family_of->second.all) {
            write(json, *child);
          }
        }
      });
      json.member(
          "more", !has_family ? 0 : family_of->second.more + (is_open ? 0 : family_of->second.all.size()));
    });
  }

  const sampler& from_;
  std::size_t n_;
  family roots_;
  std::unordered_map<std::uint64_t, family> children_;
  std::size_t chosen_ = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
