// SPDX-License-Identifier: BSL-1.0

#include "model.hpp"

#include "text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace top {

namespace {

using nlohmann::json;

constexpr std::size_t deepest = 64; // of the tree, on the screen

// What has no such member, or is no object, has null.
const json& member(const json& object, const char* key) {
  static const json null;
  if (!object.is_object()) {
    return null;
  }
  auto found = object.find(key);
  return found == object.end() ? null : *found;
}

json parse(const std::string& text) { return json::parse(repair(text), nullptr, false); }

std::optional<double> number_in(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

std::optional<std::uint64_t> id_of(const json& value) {
  return value.is_number_unsigned() ? std::optional(value.get<std::uint64_t>()) : std::nullopt;
}

std::optional<std::uint64_t> id_in(const json& object, const char* key) { return id_of(member(object, key)); }

std::size_t count_in(const json& object, const char* key) {
  return static_cast<std::size_t>(id_in(object, key).value_or(0));
}

bool flag_in(const json& object, const char* key) { return member(object, key) == json(true); }

const std::string& raw_text_in(const json& object, const char* key) {
  static const std::string none;
  const json& value = member(object, key);
  return value.is_string() ? value.get_ref<const std::string&>() : none;
}

std::string text_in(const json& object, const char* key) { return clean(raw_text_in(object, key)); }

// read(element) for each element of an array; none for all else.
template <class Read>
auto each_in(const json& object, const char* key, Read read) {
  std::vector<decltype(read(object))> result;
  const json& array = member(object, key);
  if (array.is_array()) {
    result.reserve(array.size());
    for (const json& element : array) {
      result.push_back(read(element));
    }
  }
  return result;
}

std::vector<std::string> texts_in(const json& object, const char* key) {
  return each_in(object, key, [](const json& element) {
    return element.is_string() ? clean(element.get_ref<const std::string&>()) : std::string("?");
  });
}

std::vector<std::uint64_t> ids_in(const json& object, const char* key) {
  return each_in(object, key, [](const json& element) { return id_of(element).value_or(0); });
}

std::vector<double> numbers_in(const json& object, const char* key) {
  return each_in(
      object, key, [](const json& element) { return element.is_number() ? element.get<double>() : 0.0; });
}

// How many of what took how long, without those of which there are none: "6 to 1.0ms".
std::vector<std::string> histogram_in(const json& object) {
  const std::vector<double> bounds = numbers_in(object, "up_to");
  const std::vector<double> counts = numbers_in(object, "counts");
  std::vector<std::string> result;
  for (std::size_t i = 0; i < counts.size() && i <= bounds.size() && !bounds.empty(); ++i) {
    if (counts[i] > 0) {
      result.push_back(
          number(counts[i]) +
          (i < bounds.size() ? " to " + duration(bounds[i]) : " over " + duration(bounds.back())));
    }
  }
  return result;
}

std::optional<double> ago_in(const json& all, const json& object, const char* key) {
  std::optional<double> now = number_in(all, "time");
  std::optional<double> then = number_in(object, key);
  return now && then ? std::optional(*now > *then ? *now - *then : 0.0) : std::nullopt;
}

process_row read_row(const json& object) {
  process_row row;
  row.id = id_in(object, "id").value_or(0);
  row.name = text_in(object, "name");
  row.names = texts_in(object, "names");
  row.type = text_in(object, "type");
  row.parent = id_in(object, "parent");
  row.child = text_in(object, "child");
  row.supervisor = flag_in(object, "supervisor");
  row.context = number_in(object, "context");
  row.queue = number_in(object, "queue");
  row.longest = number_in(object, "longest");
  row.limit = number_in(object, "limit");
  row.messages = number_in(object, "messages");
  row.rate = number_in(object, "rate");
  row.busy = number_in(object, "busy");
  row.handling = text_in(object, "handling");
  row.handling_for = number_in(object, "handling_for");
  row.age = number_in(object, "age");
  row.restarts = number_in(object, "restarts");
  row.waits_for = ids_in(object, "waits_for");
  row.cycle = ids_in(object, "cycle");
  const json& end = member(object, "ended");
  row.ended = end.is_object();
  row.end_reason = text_in(end, "reason");
  row.ended_ago = number_in(end, "ago");
  row.lints = texts_in(object, "lints");
  return row;
}

// "worker#7 (worker)  w1, permanent  stuck  handles worker::work for 12.3s  restarted 2 times"
std::string node_text(const json& node) {
  std::string text = text_in(node, "name") + " (" + text_in(node, "type") + ')';
  std::string child = text_in(node, "child");
  std::string restart = text_in(node, "restart");
  if (!child.empty() || !restart.empty()) {
    text += "  " + child + (child.empty() || restart.empty() ? "" : ", ") + restart;
  }
  const json& end = member(node, "ended");
  if (end.is_object()) {
    return text + "  ended " + duration(number_in(end, "ago").value_or(0)) +
           " ago: " + text_in(end, "reason");
  }
  for (const std::string& lint : texts_in(node, "lints")) {
    text += "  " + lint;
  }
  std::string handling = text_in(node, "handling");
  if (!handling.empty()) {
    text += "  handles " + handling + " for " + duration(number_in(node, "handling_for").value_or(0));
  }
  const json& supervisor = member(node, "supervisor");
  if (supervisor.is_object()) {
    text += "  " + text_in(supervisor, "strategy") + ", " +
            number(number_in(supervisor, "recent").value_or(0)) + " of " +
            number(number_in(supervisor, "intensity").value_or(0)) + " restarts in " +
            duration(number_in(supervisor, "period").value_or(0));
  }
  double restarts = number_in(node, "restarts").value_or(0);
  if (restarts > 0) {
    text += "  restarted " + number(restarts) + (restarts > 1 ? " times" : " time");
  }
  double queue = number_in(node, "queue").value_or(0);
  if (queue > 0) {
    text += "  queue " + number(queue);
  }
  return text;
}

void add_more(std::vector<tree_line>& lines, const std::string& indent, const std::string& what) {
  tree_line line;
  line.indent = indent + "`- ";
  line.text = what;
  lines.push_back(std::move(line));
}

// The nodes in the array `key` of `above`, and all below them.
void add_nodes(
    std::vector<tree_line>& lines, const json& above, const char* key, const std::string& indent,
    std::size_t depth) {
  const json& nodes = member(above, key);
  std::size_t more = count_in(above, "more");
  std::size_t left = nodes.is_array() ? nodes.size() : 0;
  if (depth == deepest && left != 0) {
    add_more(lines, indent, "deeper ones are not shown");
    return;
  }
  for (std::size_t i = 0; i < left; ++i) {
    const json& node = nodes[i];
    bool last = i + 1 == left && more == 0;
    tree_line line;
    line.indent = depth == 0 ? "" : indent + (last ? "`- " : "|- ");
    line.id = id_in(node, "id").value_or(0);
    line.text = node_text(node);
    line.lint = !member(node, "lints").empty();
    line.ended = member(node, "ended").is_object();
    lines.push_back(std::move(line));
    add_nodes(lines, node, "children", depth == 0 ? "" : indent + (last ? "   " : "|  "), depth + 1);
  }
  if (more != 0) {
    add_more(lines, indent, std::to_string(more) + " more");
  }
}

} // namespace

std::optional<totals> read_totals(const std::string& text) {
  json all = parse(text);
  if (!all.is_object() || !number_in(all, "processes")) {
    return {};
  }
  totals result;
  result.processes = number_in(all, "processes");
  result.messages = number_in(all, "messages");
  result.busy = number_in(all, "busy");
  result.queue = number_in(all, "queue");
  result.crashes = number_in(all, "crashes");
  result.lints = each_in(all, "lints", [](const json& each) {
    return lint{.kind = text_in(each, "kind"), .text = text_in(each, "text")};
  });
  result.lints_total = std::max(count_in(all, "lints_total"), result.lints.size());
  return result;
}

std::optional<process_page> read_processes(const std::string& text) {
  json all = parse(text);
  if (!member(all, "rows").is_array()) {
    return {};
  }
  process_page page;
  page.total = count_in(all, "total");
  page.matched = count_in(all, "matched");
  page.offset = count_in(all, "offset");
  page.rows = each_in(all, "rows", read_row);
  return page;
}

std::optional<std::vector<tree_line>> read_tree(const std::string& text) {
  json all = parse(text);
  if (!member(all, "roots").is_array()) {
    return {};
  }
  std::vector<tree_line> lines;
  add_nodes(lines, all, "roots", "", 0);
  return lines;
}

std::optional<crash_list> read_crashes(const std::string& text) {
  json all = parse(text);
  if (!member(all, "crashes").is_array()) {
    return {};
  }
  crash_list list;
  list.crashes = each_in(all, "crashes", [&](const json& each) {
    return crash{
        .server = text_in(each, "server"),
        .type = text_in(each, "type"),
        .id = id_in(each, "id"),
        .reason = text_in(each, "reason"),
        .message = text_in(each, "message"),
        .where = text_in(each, "where"),
        .dropped = number_in(each, "dropped"),
        .state = clean_lines(raw_text_in(each, "state")),
        .count = number_in(each, "count"),
        .first_ago = ago_in(all, each, "first"),
        .last_ago = ago_in(all, each, "last"),
    };
  });
  list.supervisors = each_in(all, "supervisors", [&](const json& each) {
    return supervisor_report{
        .ago = ago_in(all, each, "time"),
        .supervisor = text_in(each, "supervisor"),
        .child = text_in(each, "child"),
        .event = text_in(each, "event"),
        .reason = text_in(each, "reason"),
    };
  });
  return list;
}

std::optional<process_detail> read_process(const std::string& text) {
  json all = parse(text);
  if (!member(all, "row").is_object()) {
    return {};
  }
  auto peers = [&](const char* key) {
    return each_in(all, key, [](const json& peer) {
      return text_in(peer, "name") + " (" + std::to_string(id_in(peer, "id").value_or(0)) + ')';
    });
  };
  process_detail detail;
  detail.row = read_row(member(all, "row"));
  detail.links = peers("links");
  detail.monitors = peers("monitors");
  detail.monitored_by = peers("monitored_by");
  const json& history = member(all, "history");
  detail.messages = numbers_in(history, "messages");
  detail.busy = numbers_in(history, "busy");
  detail.queue = numbers_in(history, "queue");
  detail.recent = each_in(all, "recent", [](const json& each) {
    return handled{
        .message = text_in(each, "message"),
        .kind = text_in(each, "kind"),
        .waited = number_in(each, "waited"),
        .ran = number_in(each, "ran"),
        .ago = number_in(each, "ago"),
        .error = text_in(each, "error"),
    };
  });
  const json& ran = member(all, "ran");
  detail.ran = histogram_in(ran);
  detail.ran_for = number_in(ran, "for");
  return detail;
}

std::optional<std::vector<std::string>> read_status(const std::string& text) {
  json all = parse(text);
  for (const char* key : {"status", "error"}) {
    if (member(all, key).is_string()) {
      return clean_lines(raw_text_in(all, key));
    }
  }
  return {};
}

std::string read_error(const std::string& text) { return text_in(parse(text), "error"); }

} // namespace top
