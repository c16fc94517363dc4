// SPDX-License-Identifier: BSL-1.0

#include "view.hpp"

#include "text.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <utility>

namespace top {

namespace {

constexpr std::size_t most_lints = 3; // lines of them

std::string or_dash(const std::optional<double>& value, std::string (*show)(double)) {
  return value ? show(*value) : "-";
}

std::string ids(const std::vector<std::uint64_t>& list, std::string_view between) {
  std::string result;
  for (std::uint64_t id : list) {
    result += (result.empty() ? "" : std::string(between)) + std::to_string(id);
  }
  return result;
}

std::string joined(const std::vector<std::string>& list) {
  std::string result;
  for (const std::string& each : list) {
    result += (result.empty() ? "" : ", ") + each;
  }
  return result.empty() ? "-" : result;
}

line totals_line(const state& now) {
  std::string text = now.address;
  if (now.now) {
    text += "  processes " + or_dash(now.now->processes, number);
    text += "  msg/s " + or_dash(now.now->messages, number);
    text += "  busy " + or_dash(now.now->busy, percent);
    text += "  queue " + or_dash(now.now->queue, number);
    text += "  crashes " + or_dash(now.now->crashes, number);
  }
  return {std::move(text), look::title};
}

// What stands between the totals and the page: a problem, or the lints.
std::vector<line> notices(const state& now, std::size_t columns) {
  std::vector<line> lines;
  if (!now.problem.empty()) {
    for (std::string& text : wrap(now.problem, columns)) {
      lines.push_back({std::move(text), look::error});
    }
    if (now.now) {
      lines.push_back({"What follows is as it was.", look::note});
    }
    return lines;
  }
  if (!now.now) {
    lines.push_back({"Asking the program.", look::note});
    return lines;
  }
  const std::vector<lint>& lints = now.now->lints;
  bool fits = now.now->lints_total <= most_lints;
  std::size_t shown = std::min(lints.size(), fits ? most_lints : most_lints - 1);
  for (std::size_t i = 0; i < shown; ++i) {
    lines.push_back({"! " + lints[i].kind + ": " + lints[i].text, look::lint});
  }
  if (now.now->lints_total > shown) {
    lines.push_back(
        {"! " + std::to_string(now.now->lints_total - shown) + " more; search for is:lint", look::lint});
  } else if (shown == 0) {
    lines.push_back({"No lints.", look::note});
  }
  return lines;
}

std::string cell(const process_row& row, std::size_t index) {
  const column& which = table_columns[index];
  if (which.sort == "id") {
    return std::to_string(row.id);
  }
  if (which.sort == "name") {
    return row.name;
  }
  if (which.sort == "type") {
    return row.type;
  }
  if (which.sort == "queue") {
    return or_dash(row.queue, number);
  }
  if (which.sort == "longest") {
    return or_dash(row.longest, number);
  }
  if (which.sort == "rate") {
    return or_dash(row.rate, number);
  }
  if (which.sort == "busy") {
    return or_dash(row.busy, percent);
  }
  if (which.sort == "handling_for") {
    return row.ended ? or_dash(row.ended_ago, duration) : or_dash(row.handling_for, duration);
  }
  if (which.sort == "messages") {
    return or_dash(row.messages, number);
  }
  if (which.sort == "age") {
    return or_dash(row.age, duration);
  }
  if (which.sort == "restarts") {
    return or_dash(row.restarts, number);
  }
  if (which.sort == "parent") {
    return row.parent ? std::to_string(*row.parent) : "-";
  }
  if (which.sort == "context") {
    return or_dash(row.context, number);
  }
  if (which.title == "HANDLING") {
    return row.ended ? "ended: " + row.end_reason : row.handling;
  }
  return ids(row.waits_for, ",") + (row.cycle.empty() ? "" : " cycle");
}

struct chosen_column {
  std::size_t index;
  std::size_t width;
};

// As many columns as fit, those with the lowest ranks first; the flexible ones share what is left.
std::vector<chosen_column> choose_columns(const state& now, std::size_t room) {
  std::vector<std::size_t> by_rank(table_columns.size());
  std::iota(by_rank.begin(), by_rank.end(), std::size_t{0});
  auto rank = [&](std::size_t i) { return std::pair(i == now.sort ? -1 : table_columns[i].rank, i); };
  std::sort(by_rank.begin(), by_rank.end(), [&](std::size_t left, std::size_t right) {
    return rank(left) < rank(right);
  });

  std::vector<chosen_column> chosen;
  std::size_t flexible = 0;
  for (std::size_t i : by_rank) {
    if (table_columns[i].width + 1 <= room) {
      room -= table_columns[i].width + 1;
      flexible += table_columns[i].flexible ? 1u : 0u;
      chosen.push_back({i, table_columns[i].width});
    }
  }
  for (chosen_column& each : chosen) {
    if (table_columns[each.index].flexible) {
      std::size_t more = std::min<std::size_t>(room / flexible--, 40);
      each.width += more;
      room -= more;
    }
  }
  std::sort(chosen.begin(), chosen.end(), [](const chosen_column& left, const chosen_column& right) {
    return left.index < right.index;
  });
  return chosen;
}

std::string aligned(const chosen_column& which, const std::string& text) {
  return table_columns[which.index].right ? fit_right(text, which.width) : fit_left(text, which.width);
}

std::vector<line> table_lines(const state& now, std::size_t width, bool selects) {
  std::vector<chosen_column> chosen = choose_columns(now, width > 1 ? width - 1 : 0);
  std::string head = " ";
  for (const chosen_column& each : chosen) {
    std::string title(table_columns[each.index].title);
    if (each.index == now.sort) {
      title += now.descending ? " v" : " ^";
    }
    head += ' ' + aligned(each, title);
  }
  std::vector<line> lines{{std::move(head), look::head}};
  if (!now.processes) {
    return lines;
  }
  const std::vector<process_row>& rows = now.processes->rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const process_row& row = rows[i];
    bool selected = selects && i == now.row;
    bool warns = !row.lints.empty();
    std::string text(1, row.ended ? 'x' : warns ? '!' : ' ');
    for (const chosen_column& each : chosen) {
      text += ' ' + aligned(each, cell(row, each.index));
    }
    if (selected) {
      text[1] = '>';
    }
    lines.push_back(
        {std::move(text), selected    ? look::selected
                          : row.ended ? look::ended
                          : warns     ? look::lint
                                      : look::plain});
  }
  if (rows.empty()) {
    lines.push_back(
        {now.search.empty() ? "  There are no processes." : "  None has all of these words.", look::note});
  }
  return lines;
}

std::vector<line> tree_lines(const state& now) {
  std::vector<line> lines;
  if (now.tree) {
    for (const tree_line& node : *now.tree) {
      std::string text(1, node.ended ? 'x' : node.lint ? '!' : ' ');
      text += "  " + node.indent + (node.id == 0 ? "" : std::to_string(node.id) + ' ') + node.text;
      lines.push_back({std::move(text), node.ended ? look::ended : node.lint ? look::lint : look::plain});
    }
    if (lines.empty()) {
      lines.push_back({"  There are no processes.", look::note});
    }
  }
  return lines;
}

std::string crash_columns(
    const std::string& last, const std::string& count, const std::string& server, const std::string& message,
    const std::string& where, const std::string& reason) {
  return "  " + fit_right(last, 7) + ' ' + fit_right(count, 5) + ' ' + fit_left(server, 18) + ' ' +
         fit_left(message, 20) + ' ' + fit_left(where, 16) + ' ' + reason;
}

// The crashes first, so that the line that is selected is the number of the crash; then what supervisors did.
std::vector<line> crash_lines(const state& now) {
  std::vector<line> lines;
  if (!now.crashes) {
    return lines;
  }
  for (const crash& each : now.crashes->crashes) {
    lines.push_back(
        {crash_columns(
             or_dash(each.last_ago, duration), or_dash(each.count, number), each.server, each.message,
             each.where, each.reason),
         look::plain});
  }
  if (lines.empty()) {
    lines.push_back({"  Nothing has crashed.", look::note});
  }
  if (!now.crashes->supervisors.empty()) {
    lines.push_back({"  SUPERVISORS", look::note});
  }
  for (const supervisor_report& each : now.crashes->supervisors) {
    lines.push_back(
        {"  " + fit_right(or_dash(each.ago, duration), 7) + ' ' + each.supervisor + ": " + each.child + ' ' +
             each.event + (each.reason.empty() ? "" : ": " + each.reason),
         look::plain});
  }
  return lines;
}

// The last values as a row of bars, between 0 and the greatest.
std::string bars(const std::vector<double>& values, std::size_t width, bool unicode) {
  static constexpr std::array<std::string_view, 8> blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr std::array<std::string_view, 8> ascii{"_", ".", ":", "-", "=", "+", "*", "#"};
  std::size_t first = values.size() > width ? values.size() - width : 0;
  double most = 0;
  for (std::size_t i = first; i < values.size(); ++i) {
    most = std::max(most, values[i]);
  }
  std::string result;
  for (std::size_t i = first; i < values.size(); ++i) {
    double part = most > 0 && values[i] > 0 ? values[i] / most : 0;
    auto step = std::min<std::size_t>(static_cast<std::size_t>(part * 8), 7);
    result += (unicode ? blocks : ascii)[step];
  }
  return result;
}

class detail_writer {
 public:
  explicit detail_writer(std::size_t columns) : columns_(columns) {}

  void add(std::string_view name, const std::string& value, look how = look::plain) {
    std::size_t room = columns_ > 20 ? columns_ - 14 : columns_;
    std::string start = fit_left(name, 14);
    for (const std::string& part : wrap(value, room)) {
      lines_.push_back({start + part, how});
      start = columns_ > 20 ? std::string(14, ' ') : "";
    }
  }

  void add(std::string text, look how) { lines_.push_back({std::move(text), how}); }

  std::vector<line> take() { return std::move(lines_); }

 private:
  std::size_t columns_;
  std::vector<line> lines_;
};

std::string plotted(
    const std::vector<double>& values, std::size_t columns, bool unicode, std::string (*show)(double)) {
  if (values.empty()) {
    return "-";
  }
  std::size_t room = columns > 50 ? columns - 40 : 10;
  double most = *std::max_element(values.begin(), values.end());
  return bars(values, room, unicode) + "  now " + show(values.back()) + ", most " + show(most);
}

std::vector<line> process_lines(const state& now, std::size_t columns) {
  detail_writer out(columns);
  if (!now.detail) {
    return out.take();
  }
  const process_detail& detail = *now.detail;
  const process_row& row = detail.row;
  out.add(std::to_string(row.id) + ' ' + row.name + " (" + row.type + ')', look::head);
  if (row.ended) {
    out.add("x ended", or_dash(row.ended_ago, duration) + " ago: " + row.end_reason, look::ended);
  }
  if (!row.lints.empty()) {
    out.add("! lints", joined(row.lints), look::lint);
  }
  out.add("names", joined(row.names));
  out.add(
      "parent", (row.parent ? std::to_string(*row.parent) : "-") +
                    (row.child.empty() ? "" : ", its child " + row.child) +
                    (row.supervisor ? "; is a supervisor" : ""));
  out.add("age", or_dash(row.age, duration) + ", restarted " + or_dash(row.restarts, number) + " times");
  out.add(
      "queue", or_dash(row.queue, number) + " now, " + or_dash(row.longest, number) + " at most, limit " +
                   or_dash(row.limit, number));
  out.add(
      "messages", or_dash(row.messages, number) + ", " + or_dash(row.rate, number) + " a second, busy " +
                      or_dash(row.busy, percent));
  out.add(
      "handling", row.handling.empty() ? "-" : row.handling + " for " + or_dash(row.handling_for, duration));
  out.add("waits for", row.waits_for.empty() ? "-" : ids(row.waits_for, ", "));
  if (!row.cycle.empty()) {
    out.add("! deadlock", ids(row.cycle, " -> ") + " -> " + std::to_string(row.cycle.front()), look::lint);
  }
  out.add("links", joined(detail.links));
  out.add("monitors", joined(detail.monitors));
  out.add("monitored by", joined(detail.monitored_by));
  out.add("context", or_dash(row.context, number));
  out.add("msg/s", plotted(detail.messages, columns, now.unicode, number));
  out.add("busy", plotted(detail.busy, columns, now.unicode, percent));
  out.add("queue length", plotted(detail.queue, columns, now.unicode, number));
  if (!detail.ran.empty()) {
    out.add("handlers ran", joined(detail.ran) + ", in " + or_dash(detail.ran_for, duration));
  }
  if (now.wants_status) {
    out.add("STATUS", look::head);
    if (!now.status) {
      out.add("Asking the server.", look::note);
    } else {
      for (const std::string& each : *now.status) {
        for (std::string& part : wrap(each, columns)) {
          out.add(std::move(part), look::plain);
        }
      }
    }
  }
  if (!detail.recent.empty()) {
    out.add("    AGO  WAITED     RAN  KIND     MESSAGE", look::head);
  }
  for (const handled& each : detail.recent) {
    std::string text =
        fit_right(or_dash(each.ago, duration), 7) + ' ' + fit_right(or_dash(each.waited, duration), 7) + ' ' +
        fit_right(or_dash(each.ran, duration), 7) + "  " + fit_left(each.kind, 7) + "  " + each.message;
    if (!each.error.empty()) {
      text += "  failed: " + each.error;
    }
    out.add(std::move(text), look::plain);
  }
  return out.take();
}

std::vector<line> crash_detail_lines(const state& now, std::size_t columns) {
  detail_writer out(columns);
  if (!now.crashes || now.crash >= now.crashes->crashes.size()) {
    out.add("This crash is no longer kept.", look::note);
    return out.take();
  }
  const crash& each = now.crashes->crashes[now.crash];
  out.add(each.server + " (" + each.type + ')', look::head);
  out.add("reason", each.reason);
  out.add("message", each.message.empty() ? "-" : each.message);
  out.add("where", each.where.empty() ? "-" : each.where);
  out.add("id", each.id ? std::to_string(*each.id) : "-");
  out.add("count", or_dash(each.count, number));
  out.add("first", or_dash(each.first_ago, duration) + " ago");
  out.add("last", or_dash(each.last_ago, duration) + " ago");
  out.add("dropped", or_dash(each.dropped, number) + " messages that were queued");
  for (std::size_t i = 0; i < each.state.size(); ++i) {
    out.add(i == 0 ? "state" : "", each.state[i]);
  }
  return out.take();
}

std::vector<line> help_lines() {
  std::vector<line> lines{
      {"KEYS", look::head},
      {"  arrows, PgUp PgDn, Home End  move", look::plain},
      {"  p t c       processes, supervision tree, crashes", look::plain},
      {"  Enter       details of the row; in them, i asks the server for its status", look::plain},
      {"  Esc         back; in the table: end the search", look::plain},
      {"  /           search; words that must all occur in name, type, id or message,", look::plain},
      {"              is:stuck is:dead is:supervisor is:lint; Enter keeps it, Esc leaves", look::plain},
      {"  s S         sort by the next, the last column; r reverses the order", look::plain},
      {"  Ctrl-L      draw the screen anew", look::plain},
      {"  q           quit", look::plain},
      {"COLUMNS, and the keys that sort by them", look::head},
  };
  constexpr std::string_view digits = "1234567890";
  std::size_t digit = 0;
  for (const column& each : table_columns) {
    if (!each.sort.empty()) {
      std::string text = "  ";
      text += each.key;
      text += digit < digits.size() ? std::string(" ") + digits[digit++] : "  ";
      text += "         " + std::string(each.title) + "  (" + std::string(each.sort) + ')';
      lines.push_back({std::move(text), look::plain});
    }
  }
  lines.push_back({"ROWS begin with > if selected, ! if something is wrong, x if ended.", look::head});
  return lines;
}

std::string status_text(const state& now) {
  std::string text;
  switch (now.shown) {
    case page::processes:
      if (now.processes) {
        const process_page& shown = *now.processes;
        std::size_t first = shown.rows.empty() ? 0 : shown.offset + 1;
        text = std::to_string(first) + '-' + std::to_string(shown.offset + shown.rows.size()) + " of " +
               std::to_string(shown.matched);
        if (shown.matched != shown.total) {
          text += " (" + std::to_string(shown.total) + " in all)";
        }
      }
      text += "  by " + std::string(table_columns[now.sort].sort) +
              (now.descending ? ", descending" : ", ascending");
      if (!now.search.empty()) {
        text += "  search: " + clean(now.search);
      }
      return text + "  / search  s sort  Enter details  t tree  c crashes  h help";
    case page::tree: return "tree  Enter details  p processes  c crashes  h help  q quit";
    case page::crashes: return "crashes, newest first  Enter details  p processes  t tree  h help  q quit";
    case page::process:
      return "process " + std::to_string(now.process) + "  i its status  Esc back  h help  q quit";
    case page::crash: return "crash  Esc back  h help  q quit";
    case page::help: return "help  Esc back  q quit";
  }
  return text;
}

// The page without what stands above and below it; its first line may be a head that stays.
struct body {
  std::vector<line> head;
  std::vector<line> lines;
};

body body_of(const state& now, std::size_t width) {
  switch (now.shown) {
    case page::processes: {
      std::vector<line> lines = table_lines(now, width, true);
      line head = std::move(lines.front());
      lines.erase(lines.begin());
      return {{std::move(head)}, std::move(lines)};
    }
    case page::tree: return {{{"   SUPERVISION TREE", look::head}}, tree_lines(now)};
    case page::crashes:
      return {
          {{crash_columns("LAST", "COUNT", "SERVER", "MESSAGE", "WHERE", "REASON"), look::head}},
          crash_lines(now)};
    case page::process: return {{}, process_lines(now, width)};
    case page::crash: return {{}, crash_detail_lines(now, width)};
    case page::help: return {{}, help_lines()};
  }
  return {};
}

const place& place_of(const state& now) { return now.shown == page::tree ? now.tree_at : now.crashes_at; }

bool has_selection(page which) { return which == page::tree || which == page::crashes; }

std::size_t selectable(const state& now) {
  if (now.shown == page::tree) {
    return now.tree ? now.tree->size() : 0;
  }
  return now.crashes ? now.crashes->crashes.size() + now.crashes->supervisors.size() + 1 : 0;
}

} // namespace

std::size_t rows_for_page(const state& now, extent size) {
  std::size_t head = now.shown == page::processes || has_selection(now.shown) ? 1 : 0;
  std::size_t used = 2 + head + notices(now, size.columns).size(); // the totals, the status line
  return size.rows > used + 1 ? size.rows - used : 1;
}

void keep_in_bounds(state& now, extent size) {
  std::size_t room = rows_for_page(now, size);
  if (now.shown == page::processes) {
    std::size_t rows = now.processes ? now.processes->rows.size() : 0;
    rows = std::min(rows, room);
    now.row = rows == 0 ? 0 : std::min(now.row, rows - 1);
  } else if (has_selection(now.shown)) {
    place& at = now.shown == page::tree ? now.tree_at : now.crashes_at;
    std::size_t lines = selectable(now);
    at.selected = lines == 0 ? 0 : std::min(at.selected, lines - 1);
    at.first = std::min(at.first, at.selected);
    if (at.selected >= at.first + room) {
      at.first = at.selected - room + 1;
    }
  } else {
    std::size_t lines = body_of(now, size.columns).lines.size();
    now.detail_at = std::min(now.detail_at, lines > room ? lines - room : 0);
  }
}

frame render(const state& now, extent size) {
  frame result;
  result.lines.push_back(totals_line(now));
  for (line& each : notices(now, size.columns)) {
    result.lines.push_back(std::move(each));
  }
  body shown = body_of(now, size.columns);
  for (line& each : shown.head) {
    result.lines.push_back(std::move(each));
  }
  std::size_t first = has_selection(now.shown)       ? place_of(now).first
                      : now.shown == page::processes ? 0
                                                     : now.detail_at;
  for (std::size_t i = first; i < shown.lines.size(); ++i) {
    line& each = shown.lines[i];
    if (has_selection(now.shown) && i == place_of(now).selected) {
      each.text[1] = '>';
      each.how = look::selected;
    }
    result.lines.push_back(std::move(each));
  }

  std::size_t above = size.rows > 1 ? size.rows - 1 : 0;
  result.lines.resize(above);
  if (now.editing) {
    std::string text = "search: " + clean(now.search);
    std::size_t columns = width(text);
    // Its end is what one edits.
    while (columns + 1 > size.columns && !text.empty()) {
      decoded next = decode(text);
      columns -= width(next.character);
      text.erase(0, next.length);
    }
    result.cursor = columns;
    result.lines.push_back({text + "  (Enter keeps it, Esc leaves)", look::plain});
  } else {
    result.lines.push_back({now.waiting.empty() ? status_text(now) : now.waiting, look::note});
  }
  for (line& each : result.lines) {
    each.text = cut(each.text, size.columns);
  }
  return result;
}

frame render_once(const state& now, std::size_t width) {
  frame result;
  result.lines.push_back(totals_line(now));
  for (line& each : notices(now, width)) {
    result.lines.push_back(std::move(each));
  }
  for (line& each : table_lines(now, width, false)) {
    result.lines.push_back(std::move(each));
  }
  if (now.processes && now.processes->rows.size() < now.processes->matched) {
    std::size_t more = now.processes->matched - now.processes->rows.size();
    result.lines.push_back({std::to_string(more) + " more.", look::note});
  }
  for (line& each : result.lines) {
    each.text = cut(each.text, width);
  }
  return result;
}

} // namespace top
