#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0

"""Measures what it costs to compile otpp, in units of what <asio.hpp> costs, which its users pay anyway.

  benchmarks/compile_time.py               a table for each compiler that is there
  benchmarks/compile_time.py --budget      only the ratios that are promised, with g++; fails if one is broken
"""

import argparse
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a program may cost at most, as CPU seconds relative to <asio.hpp> alone, -c at -O0, g++ 12 and Asio
# 1.22.1. Beside each what it was when the budget was written.
BUDGETS = {
    "<otpp/otpp.hpp>": 3,  # measured: 2.4
    "64 call messages": 8,  # measured: 6.6
}
MODES = {"-fsyntax-only": ["-fsyntax-only"], "-c -O0": ["-c", "-O0"]}
MESSAGES = 64


def server_with_many_messages():
    """A server with 64 call messages, and a client that sends each once."""
    numbers = range(MESSAGES)
    messages = "\n".join(f"  struct m{i} {{ int n; using reply_type = int; }};" for i in numbers)
    handlers = "\n".join(
        f"  int handle_call(m{i} request, int& count) {{ return count += request.n + {i}; }}" for i in numbers
    )
    calls = "\n".join(f"  total += co_await otpp::call<many::m{i}>(server, {i});" for i in numbers)
    return f"""
#include <otpp/otpp.hpp>
#include <asio.hpp>
struct many {{
{messages}
  int init() {{ return 0; }}
{handlers}
}};
asio::awaitable<int> client() {{
  auto server = co_await otpp::start<many>();
  int total = 0;
{calls}
  co_return total;
}}
int main() {{ return otpp::run(client()); }}
"""


# The least that a program with a coroutine of Asio's costs.
COROUTINE = """
#include <asio.hpp>
asio::awaitable<void> client() { co_return; }
int main() {
  asio::io_context context;
  asio::co_spawn(context, client(), asio::detached);
  context.run();
}
"""


def programs():
    return {
        "<asio.hpp>": "#include <asio.hpp>\n",
        "<asio.hpp>, a coroutine": COROUTINE,
        "<otpp/otpp.hpp>": "#include <otpp/otpp.hpp>\n",
        "examples/counter.cpp": (ROOT / "examples" / "counter.cpp").read_text(encoding="utf-8"),
        "64 call messages": server_with_many_messages(),
    }


class Cost:
    def __init__(self, wall, cpu, memory):
        self.wall = wall  # seconds
        self.cpu = cpu  # seconds
        self.memory = memory  # bytes


def compile_once(command):
    begin = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        # wait4, because it tells what this one child has used, with the compiler proper that it starts.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command))}\n{said.read().decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def asio_version(folder):
    for place in (folder, "/usr/include", "/usr/local/include"):
        header = pathlib.Path(place, "asio", "version.hpp") if place else None
        if header and header.exists():
            for line in header.read_text().splitlines():
                words = line.split()
                if words[:2] == ["#define", "ASIO_VERSION"]:
                    return int(words[2])
    return 0


def flags_for(compiler, asio):
    flags = ["-std=c++20", f"-I{ROOT / 'include'}"]
    if asio and asio != "/usr/include":  # where compilers look anyway, and must not look first
        flags.append(f"-I{asio}")
    if "clang" in pathlib.Path(compiler).name and asio_version(asio) < 102600:
        flags.append("-DASIO_HAS_CO_AWAIT=1")  # as in cmake/otpp-asio.cmake
    return flags


class Costs:
    """Compiles each program a few times, in turns, so that a busy moment strikes all of them."""

    def __init__(self, compiler, asio, modes, names, runs):
        self.costs = {}
        with tempfile.TemporaryDirectory() as folder:
            sources = {}
            for number, (name, text) in enumerate(programs().items()):
                sources[name] = pathlib.Path(folder, f"program{number}.cpp")
                sources[name].write_text(text, encoding="utf-8")
            for _ in range(runs):
                for mode in modes:
                    for name in names:
                        command = [compiler, *flags_for(compiler, asio), *MODES[mode], sources[name]]
                        if "-c" in MODES[mode]:
                            command += ["-o", pathlib.Path(folder, "program.o")]
                        self.costs.setdefault((mode, name), []).append(compile_once(command))

    def median(self, mode, name, what):
        return statistics.median(getattr(cost, what) for cost in self.costs[mode, name])

    def best(self, mode, name, what):
        return min(getattr(cost, what) for cost in self.costs[mode, name])


def version(compiler):
    return subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout.splitlines()[0]


def print_tables(compilers, asio, runs):
    number = asio_version(asio)
    print(f"Asio {number // 100000}.{number // 100 % 1000}.{number % 100}; median of {runs} run{'s' * (runs > 1)}.")
    for compiler in compilers:
        names = list(programs())
        costs = Costs(compiler, asio, MODES, names, runs)
        print(f"\n### {version(compiler)}\n")
        print("| mode | program | wall, s | CPU, s | memory, MB | CPU / asio.hpp | memory / asio.hpp |")
        print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
        for mode in MODES:
            for name in names:
                wall, cpu, memory = (costs.median(mode, name, what) for what in ("wall", "cpu", "memory"))
                cpu_ratio = cpu / costs.median(mode, "<asio.hpp>", "cpu")
                memory_ratio = memory / costs.median(mode, "<asio.hpp>", "memory")
                print(
                    f"| `{mode}` | `{name}` | {wall:.2f} | {cpu:.2f} | {memory / 1e6:.0f} "
                    f"| {cpu_ratio:.2f} | {memory_ratio:.2f} |",
                    flush=True,
                )


def within_budget(compiler, asio, runs):
    # The best of the runs: other programs can only make a compiler slower. So what keeps its budget at once needs no
    # other run. Its unit always has two, before and after, because a slow one would let more pass.
    mode = "-c -O0"
    unit = "<asio.hpp>"
    best = {}

    def measure(names):
        costs = Costs(compiler, asio, [mode], names, 1)
        for name in names:
            best[name] = min(best.get(name, math.inf), costs.best(mode, name, "cpu"))

    def over_budget():
        return [name for name, budget in BUDGETS.items() if best[name] > budget * best[unit]]

    measure([unit, *BUDGETS, unit])
    for _ in range(runs - 1):
        if over_budget():
            measure([unit, *over_budget()])
    print(f"{version(compiler)}: {unit} alone takes {best[unit]:.2f} s")
    broken = over_budget()
    for name, budget in BUDGETS.items():
        ratio = best[name] / best[unit]
        print(f"{name}: {ratio:.2f} times as long; the budget is {budget}{': BROKEN' if name in broken else ''}")
    return not broken


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compiler", action="append", help="g++ and clang++-19, where there, if not given")
    parser.add_argument("--asio", default=os.environ.get("OTPP_ASIO_INCLUDE_DIR", ""), help="its folder")
    parser.add_argument("--runs", type=int, default=3, help="of each; with --budget, of one that is above it")
    parser.add_argument("--budget", action="store_true", help="fail if a ratio is above its budget")
    options = parser.parse_args()

    if options.budget:
        compiler = options.compiler[0] if options.compiler else "g++"
        kept = within_budget(compiler, options.asio, options.runs)
        sys.exit(0 if kept else 1)
    compilers = options.compiler or [name for name in ("g++", "clang++-19") if shutil.which(name)]
    print_tables(compilers, options.asio, options.runs)


if __name__ == "__main__":
    main()
