#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0

"""Runs the same workloads on otpp, on naive Asio and on its peers, and prints one table.

Each figure is a process of its own: what one workload leaves behind in the allocator, or in the clock of
the CPU, would change the next. The programs take turns, round by round, so that a busy minute of the
machine strikes all of them. The figures are for reading; nothing passes or fails.

  cmake --workflow --preset bench        builds what this needs, and runs it for ours, naive and bounds
  benchmarks/compare.py --rounds 5       all that is found, the peers too
  benchmarks/compare.py --check          the targets beside what was reached
"""

import argparse
import dataclasses
import datetime
import html
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


@dataclasses.dataclass
class Workload:
    name: str
    title: str
    threads: int = 1
    unit: str = "ns"
    naive: str = ""  # the workload of the naive program that it is compared with, if not its namesake
    at_least: float = 0  # targets, as naive / otpp
    aim: float = 0
    target_naive: str = ""  # the one that the targets are compared with, if not `naive`

    def naive_name(self):
        return self.naive or self.name

    def target_name(self):
        return self.target_naive or self.naive_name()


WORKLOADS = [
    Workload("W1", "call without a timeout", at_least=7, aim=10),
    Workload("W1_timer", "the same, the program has a timer"),
    Workload("W1_default", "call with the default timeout", naive="W1", at_least=5.5, aim=9),
    Workload("W1co", "call, the handler a coroutine", naive="W1", at_least=3.5, aim=5),
    Workload("W6", "call by name, 1000 names", at_least=5, aim=8),
    Workload("W7", "call with a timeout of 5 s", at_least=45, aim=70),
    Workload("W3_1b", "cast, 256 and a call", at_least=12, aim=16, target_naive="W3_1"),
    Workload("W3_1b_try", "try_cast, 256 and a call", naive="W3_1b"),
    Workload("W3_1", "cast, 3 million and a call"),
    Workload("W3_2", "the same, from another thread", threads=2, at_least=6, aim=12),
    Workload("W2", "call to another thread", threads=2),
    Workload("W2_timer", "the same, the program has timers", threads=2),
    Workload("W2pool", "call, both on a pool of two", threads=2, at_least=6, aim=10),
    Workload("W4", "1000 clients, server on another thread", threads=2, at_least=4, aim=6),
    Workload("W4_timer", "the same, the program has timers", threads=2),
    Workload("W4pool", "1000 clients, all on a pool of two", threads=2, at_least=5, aim=10),
    Workload("W5spawn", "start and first call", at_least=6, aim=10),
    Workload("W5ring", "one hop in a ring of 1000", at_least=6, aim=12),
    Workload("W5rss", "memory of an idle server", unit="bytes", at_least=5, aim=7),
]
BOUNDS = [
    Workload("post", "asio::post to an io_context, and its handler"),
    Workload("post_any_io_executor", "the same through any_io_executor"),
    Workload("post_round_trip", "post to another thread and back", threads=2),
    Workload("awaitable_frame", "co_await of an asio::awaitable that returns at once"),
    Workload("timer_arm_cancel", "steady_timer: arm and cancel"),
    Workload("malloc_128", "malloc and free of 128 bytes"),
    Workload("atomic_add", "an atomic fetch_add, no contention"),
    Workload("find_name", "look-up among 1000 names under a shared_mutex"),
]


class Unavailable(Exception):
    pass


def run(command, timeout=180, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True, **options)


def first_line(command):
    """What a tool says of itself, or nothing."""
    try:
        return run(command).stdout.strip().splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return ""


# ---- the programs ----


class GoogleBenchmark:
    """One of our own programs."""

    def __init__(self, key, label, program, workloads, seconds):
        self.key = key
        self.label = label
        self.program = program
        self.seconds = seconds
        self.context = {}
        self.workloads = {workload.name for workload in workloads}

    def prepare(self):
        if not self.program.exists():
            raise Unavailable(f"{self.program} is not built: cmake --build --preset bench")
        listed = run([self.program, "--benchmark_list_tests"]).stdout
        self.workloads &= {line.split("/")[0] for line in listed.split()}

    def about(self):
        return ""

    def measure(self, workload):
        done = run(
            [
                self.program,
                f"--benchmark_filter=^{workload.name}(/|$)",
                f"--benchmark_min_time={self.seconds}",
                "--benchmark_format=json",
            ]
        )
        answer = json.loads(done.stdout)
        self.context = answer["context"]
        figures = answer["benchmarks"][0]
        return figures["bytes"] if workload.unit == "bytes" else figures["op"] * 1e9


class Peer:
    """A program in peers/, which prints lines "<workload> <ns or bytes>"."""

    def __init__(self, key, label, folder, workloads):
        self.key = key
        self.label = label
        self.folder = folder
        self.workloads = set(workloads.split())

    def measure(self, workload):
        printed = run(self.command(workload)).stdout
        for line in printed.splitlines():
            words = line.split()
            if len(words) == 2 and words[0] == workload.name:
                return float(words[1])
        raise Unavailable(f"{self.key} printed no line for {workload.name}")


class Erlang(Peer):
    def __init__(self, folder):
        super().__init__("erlang", "Erlang/OTP", folder, "W1 W6 W7 W3_1 W3_2 W2 W4 W5spawn W5ring W5rss")

    def prepare(self):
        if not shutil.which("erl") or not shutil.which("erlc"):
            raise Unavailable("not installed (Debian: apt-get install erlang-base)")
        sources = [HERE / "peers" / name for name in ("workloads.erl", "counter.erl")]
        run(["erlc", "-o", self.folder, *sources])

    def about(self):
        release = first_line(
            ["erl", "-noshell", "-eval", 'io:format("~s~n", [erlang:system_info(otp_release)]), halt().']
        )
        return f"Erlang/OTP {release}, +S 1 or +S 2"

    def command(self, workload):
        threads = f"{workload.threads}:{workload.threads}"
        return [
            "erl", "-noshell", "+S", threads, "-pa", self.folder,
            "-eval", f'workloads:run("{workload.name}"), halt().',
        ]  # fmt: skip


class Caf(Peer):
    def __init__(self, program):
        super().__init__("caf", "CAF", program.parent, "W1 W6 W7 W3_1 W3_2 W2 W4 W5spawn W5ring W5rss")
        self.program = program

    def prepare(self):
        if not self.program.exists():
            raise Unavailable("not built (Debian: apt-get install libcaf-dev; then configure again)")

    def about(self):
        return f"CAF {first_line([self.program, '--version'])}, one or two workers"

    def command(self, workload):
        return [self.program, workload.name, str(workload.threads)]


class Go(Peer):
    def __init__(self, folder):
        super().__init__("go", "Go", folder, "W1 W6 W7 W3_1 W3_2 W2 W4 W5spawn W5ring W5rss")

    def prepare(self):
        if not shutil.which("go"):
            raise Unavailable("not installed (Debian: apt-get install golang-go)")
        run(["go", "build", "-o", self.folder / "go-workloads", HERE / "peers" / "workloads.go"])

    def about(self):
        version = first_line(["go", "version"]).replace("go version go", "")
        return f"Go {version.split(' ')[0]}, GOMAXPROCS 1 or 2"

    def command(self, workload):
        return [self.folder / "go-workloads", workload.name, str(workload.threads)]


def find_programs(options):
    folder = options.build / "benchmarks"
    scratch = folder / "peers"
    scratch.mkdir(parents=True, exist_ok=True)
    seconds = 0.1 if options.quick else 0.5
    candidates = [
        GoogleBenchmark("ours", "otpp", folder / "otpp", WORKLOADS, seconds),
        GoogleBenchmark("naive", "naive Asio", folder / "naive", WORKLOADS, seconds),
        GoogleBenchmark("bounds", "", folder / "bounds", BOUNDS, seconds),
        Erlang(scratch),
        Caf(folder / "caf"),
        Go(scratch),
    ]
    known = [program.key for program in candidates]
    wanted = options.only.split(",") if options.only else known
    for key in wanted:
        if key not in known:
            sys.exit(f"--only: there is no {key}; there are {', '.join(known)}")
    found = []
    for program in candidates:
        if program.key in wanted:
            try:
                program.prepare()
                found.append(program)
            except Unavailable as why:
                print(f"without {program.key}: {why}", file=sys.stderr)
            except subprocess.CalledProcessError as error:
                print(f"without {program.key}: {error}\n{error.stderr}", file=sys.stderr)
    return found


# ---- measuring ----


class Figures:
    """What was measured: for each program and workload one number a round."""

    def __init__(self):
        self.values = {}

    def add(self, key, name, value):
        self.values.setdefault((key, name), []).append(value)

    def median(self, key, name):
        values = self.values.get((key, name))
        return statistics.median(values) if values else None

    def range(self, key, name):
        values = self.values[key, name]
        return min(values), max(values)

    def ratio(self, key, name, other, other_name):
        """How many times as much as `key` takes `other`."""
        one = self.median(key, name)
        two = self.median(other, other_name)
        return two / one if one and two else None


def measure(programs, options):
    figures = Figures()
    workloads = [workload for workload in WORKLOADS + BOUNDS if wanted(workload, options)]
    for number in range(options.rounds):
        for workload in workloads:
            turns = programs[number % len(programs):] + programs[: number % len(programs)]
            for program in turns:
                if workload.name not in program.workloads:
                    continue
                progress(f"round {number + 1} of {options.rounds}: {workload.name} {program.key}")
                try:
                    figures.add(program.key, workload.name, program.measure(workload))
                except (subprocess.SubprocessError, Unavailable, KeyError, IndexError, ValueError) as error:
                    progress("")
                    print(f"{program.key} {workload.name}: {error}", file=sys.stderr)
    progress("")
    return figures


def wanted(workload, options):
    return not options.workloads or workload.name in options.workloads.split(",")


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# ---- telling ----


def lscpu():
    facts = {}
    try:
        for line in run(["lscpu"], env={**os.environ, "LC_ALL": "C"}).stdout.splitlines():
            name, _, value = line.partition(":")
            facts[name.strip()] = value.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return facts


def circumstances(programs, options, load_before):
    cpu = lscpu()
    virtual = f", a guest of {cpu['Hypervisor vendor']}" if "Hypervisor vendor" in cpu else ""
    context = next((program.context for program in programs if getattr(program, "context", None)), {})
    loads = [f"{load[0]:.2f}" for load in (load_before, os.getloadavg())]
    lines = [
        f"{cpu.get('Model name', os.uname().machine)}, {os.cpu_count()} CPUs{virtual}; "
        f"{os.uname().sysname} {os.uname().release}",
        *([f"{context['compiler']}, -O2; Asio {context['asio']}"] if context else []),
        *(program.about() for program in programs if program.about()),
        f"{datetime.date.today()}; {options.rounds} round{'s' * (options.rounds > 1)}; "
        f"load average {loads[0]} before, {loads[1]} after",
    ]
    return lines


def number(value):
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.1f}"
    return f"{value:,.0f}"


def factor(value):
    return "-" if value is None else f"{value:.1f}"


def cell(figures, key, name):
    middle = figures.median(key, name)
    if middle is None:
        return "-"
    low, high = figures.range(key, name)
    if low == high:
        return number(middle)
    return f"{number(middle)} [{number(low)}-{number(high)}]"


def table(header, rows):
    """Markdown that can be read as it is: the first two columns to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row):
        cells = [text.ljust(w) if i < 2 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths))]
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * w if i < 2 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([line(header), line(rule), *map(line, rows)])


def workload_table(figures, programs):
    columns = [program for program in programs if program.key != "bounds"]
    shown = [w for w in WORKLOADS if any(figures.median(p.key, w.name) for p in columns)]
    header = ["", "what"]
    for program in columns:
        header.append(program.label)
        if program.key == "naive":
            header.append("naive / otpp")
    keys = {program.key for program in programs}
    has_post = {"ours", "bounds"} <= keys
    if has_post:
        header.append("otpp / post")
    rows = []
    for workload in shown:
        unit = "" if workload.unit == "ns" else f" ({workload.unit})"
        row = [workload.name, workload.title + unit]
        for program in columns:
            row.append(cell(figures, program.key, workload.name))
            if program.key == "naive":
                row.append(factor(figures.ratio("ours", workload.name, "naive", workload.naive_name())))
        if has_post:
            is_time = workload.unit == "ns"
            row.append(factor(figures.ratio("bounds", "post", "ours", workload.name)) if is_time else "-")
        rows.append(row)
    return table(header, rows) if rows else ""


def bound_table(figures):
    rows = [
        [bound.name, bound.title, cell(figures, "bounds", bound.name)]
        for bound in BOUNDS
        if figures.median("bounds", bound.name)
    ]
    return table(["", "what", "ns"], rows) if rows else ""


def target_table(figures):
    rows = []
    for workload in WORKLOADS:
        if not workload.at_least:
            continue
        reached = figures.ratio("ours", workload.name, "naive", workload.target_name())
        if reached is None:
            verdict = "not measured"
        elif reached >= workload.aim:
            verdict = "as aimed at"
        elif reached >= workload.at_least:
            verdict = "reached"
        else:
            verdict = "missed"
        least, aim = f"{workload.at_least:g}", f"{workload.aim:g}"
        rows.append([workload.name, f"naive {workload.target_name()}", least, aim, factor(reached), verdict])
    return table(["", "against", "at least", "aim", "naive / otpp", ""], rows)


def report(figures, programs, options, load_before):
    facts = "\n".join(f"- {line}" for line in circumstances(programs, options, load_before))
    parts = [
        facts,
        "Nanoseconds for one operation (W5rss: bytes for one server): median [smallest-largest].",
        workload_table(figures, programs),
        bound_table(figures),
    ]
    if options.check:
        parts.append(target_table(figures))
    return "\n\n".join(part for part in parts if part) + "\n"


# ---- the plot ----

COLORS = {"ours": "#0072b2", "naive": "#e69f00", "erlang": "#cc79a7", "caf": "#009e73", "go": "#7f7f7f"}
BAR, GAP, LEFT, PLOT, TOP = 13, 12, 270, 520, 74


def time_label(nanoseconds):
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:g} {unit}"
    return f"{nanoseconds:g} ns"


class Svg:
    def __init__(self):
        self.parts = []

    def text(self, x, y, content, size=12, anchor="start", weight="normal", fill="#222"):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}" fill="{fill}">{html.escape(content)}</text>'
        )

    def box(self, x, y, width, height, fill):
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>'
        )

    def line(self, x1, y1, x2, y2, stroke):
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"/>'
        )

    def document(self, width, height):
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="sans-serif">\n'
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
        )


def plot(figures, programs, facts):
    columns = [program for program in programs if program.key in COLORS]
    groups = []
    for workload in WORKLOADS:
        bars = [p for p in columns if figures.median(p.key, workload.name)]
        if workload.unit == "ns" and bars:
            groups.append((workload, bars))
    if not groups:
        sys.exit("--svg: nothing was measured")
    smallest = min(figures.range(p.key, w.name)[0] for w, bars in groups for p in bars)
    largest = max(figures.range(p.key, w.name)[1] for w, bars in groups for p in bars)
    first = math.floor(math.log10(smallest))
    last = math.ceil(math.log10(largest))

    def x_of(value):
        return LEFT + PLOT * (math.log10(value) - first) / (last - first)

    height_of_bars = sum(len(bars) * BAR + GAP for _, bars in groups)
    bottom = TOP + height_of_bars
    svg = Svg()
    svg.text(16, 24, "Time for one operation; shorter is better, the scale is logarithmic", 15, weight="bold")
    x = 16
    for program in columns:
        svg.box(x, 37, 12, 12, COLORS[program.key])
        svg.text(x + 18, 47.5, program.label)
        x += 42 + 7 * len(program.label)
    for power in range(first, last + 1):
        x = x_of(10**power)
        svg.line(x, TOP - 6, x, bottom, "#dddddd")
        svg.text(x, TOP - 10, time_label(10**power), 11, "middle", fill="#666")
    y = TOP
    for workload, bars in groups:
        middle = y + len(bars) * BAR / 2 + 4
        svg.text(16, middle, workload.title)
        for program in bars:
            value = figures.median(program.key, workload.name)
            low, high = figures.range(program.key, workload.name)
            svg.box(LEFT, y + 1, x_of(value) - LEFT, BAR - 2, COLORS[program.key])
            svg.line(x_of(low), y + BAR / 2, x_of(high), y + BAR / 2, "#222222")
            svg.text(x_of(high) + 5, y + BAR - 3, number(value), 10, fill="#444")
            y += BAR
        y += GAP
    for fact in facts:
        bottom += 15
        svg.text(16, bottom, fact, 10, fill="#666")
    return svg.document(LEFT + PLOT + 70, int(bottom + 14))


# ---- the command line ----


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "bench", help="build folder")
    parser.add_argument("--only", default="", help="of ours,naive,bounds,erlang,caf,go")
    parser.add_argument("--workloads", default="", help="only these, by name: W1,W7,post")
    parser.add_argument("--rounds", type=int, help="how often all is measured (5)")
    parser.add_argument("--quick", action="store_true", help="short runs, one round unless told otherwise")
    parser.add_argument("--check", action="store_true", help="print the targets beside what was reached")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="write the tables")
    parser.add_argument("--svg", type=pathlib.Path, metavar="FILE", help="write a plot")
    options = parser.parse_args()
    if options.rounds is None:
        options.rounds = 1 if options.quick else 5
    return options


def main():
    options = parse_options()
    programs = find_programs(options)
    if not programs:
        sys.exit("nothing to run")
    load_before = os.getloadavg()
    figures = measure(programs, options)
    text = report(figures, programs, options, load_before)
    print(text)
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(text, encoding="utf-8")
    if options.svg:
        options.svg.parent.mkdir(parents=True, exist_ok=True)
        facts = circumstances(programs, options, load_before)
        options.svg.write_text(plot(figures, programs, facts), encoding="utf-8")


if __name__ == "__main__":
    main()
