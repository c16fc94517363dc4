# SPDX-License-Identifier: BSL-1.0
"""Draws the diagrams of docs/, which GitHub draws by Mermaid, as SVG with the colors of the site, light or dark.

Of Mermaid's language it knows what the pages use: sequenceDiagram, flowchart and stateDiagram-v2. Graphviz places what
is not a sequence.
"""

import html
import re
import shutil
import subprocess
from textwrap import TextWrapper

FONT = 13  # pixels
WIDE = 7.3  # of a letter
LINE = 17


def wrap(text, width):
    return TextWrapper(width, break_long_words=False, break_on_hyphens=False).wrap(text)


class Unknown(Exception):
    """A line that cannot be drawn."""


def svg(text):
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("%%")]
    kind, *arguments = lines[0].split()
    if kind == "sequenceDiagram":
        return sequence(lines[1:])
    if kind in ("flowchart", "graph"):
        return placed(*flowchart(lines[1:]), arguments[0] if arguments else "TB")
    if kind.startswith("stateDiagram"):
        return placed(*states(lines[1:]), "TB")
    raise Unknown(lines[0])


def label(x, y, text, anchor="middle", kind=""):
    rows = text if isinstance(text, list) else [text]
    top = y - (len(rows) - 1) * LINE / 2 + FONT * 0.35
    spans = "".join(
        f'<tspan x="{x:.1f}" y="{top + number * LINE:.1f}">{html.escape(row)}</tspan>' for number, row in enumerate(rows)
    )
    return f'<text text-anchor="{anchor}" class="{kind}">{spans}</text>'


def picture(width, height, parts):
    marker = (
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z"/></marker></defs>'
    )
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg">{marker}{"".join(parts)}</svg>'
    )


def sequence(lines):
    who, steps = {}, []
    for line in lines:
        if match := re.match(r"(?:participant|actor) (\w+)(?: as (.+))?$", line):
            who[match.group(1)] = match.group(2) or match.group(1)
        elif match := re.match(r"(\w+)\s*(--?>>?)\s*[+-]?(\w+)\s*:\s*(.+)$", line):
            for name in (match.group(1), match.group(3)):
                who.setdefault(name, name)
            steps.append(match.groups())
        elif match := re.match(r"Note (?:over|right of|left of) (\w+)(?:,\s*(\w+))?\s*:\s*(.+)$", line):
            steps.append((match.group(1), "note", match.group(2) or match.group(1), match.group(3)))
        else:
            raise Unknown(line)
    order = list(who)
    heads = {name: wrap(who[name], 14) for name in order}
    # Columns are as far from each other as what is written between neighbors needs, in at most three lines.
    gap = [116.0] * len(order)
    for begin, _, end, text in steps:
        low, high = sorted((order.index(begin), order.index(end)))
        needed = min(len(text) * WIDE, 120) + (50 if low == high else 24)
        if high - low <= 1:
            gap[low] = max(gap[low], needed)
    at, x = {}, 56.0
    for number, name in enumerate(order):
        at[name] = x
        x += gap[number]
    top = 16 + LINE * max(len(head) for head in heads.values())
    y, parts = top + 26.0, []
    for begin, arrow, end, text in steps:
        left, right = sorted((at[begin], at[end]))
        is_self = begin == end
        room = gap[order.index(begin)] - 40 if is_self else right - left - 24
        rows = wrap(text, max(int(room / WIDE), 12))
        if arrow == "note":
            high = len(rows) * LINE + 10
            parts.append(f'<rect class="note" x="{left - 60:.1f}" y="{y:.1f}" width="{right - left + 120:.1f}" height="{high}"/>')
            parts.append(label((left + right) / 2, y + high / 2, rows))
            y += high + 16
            continue
        dashed = " dashed" if arrow.startswith("--") else ""
        if is_self:
            middle = y + max(len(rows) * LINE / 2, 10)
            parts.append(f'<path class="edge{dashed}" marker-end="url(#arrow)" d="M{left:.1f},{middle - 9:.1f} h22 v18 h-20"/>')
            parts.append(label(left + 30, middle, rows, "start"))
            y = middle + max(len(rows) * LINE / 2, 10) + 12
        else:
            y += len(rows) * LINE
            parts.append(label((left + right) / 2, y - len(rows) * LINE / 2 - 4, rows))
            parts.append(
                f'<path class="edge{dashed}" marker-end="url(#arrow)" d="M{at[begin]:.1f},{y:.1f} L{at[end]:.1f},{y:.1f}"/>'
            )
            y += 14
    life, boxes = [], []
    for name in order:
        life.append(f'<path class="life" d="M{at[name]:.1f},{top} V{y:.1f}"/>')
        boxes.append(f'<rect class="node" x="{at[name] - 53:.1f}" y="2" width="106" height="{top - 2}" rx="5"/>')
        boxes.append(label(at[name], top / 2 + 1, heads[name]))
    last = [len(text) * WIDE for begin, _, end, text in steps if begin == end == order[-1]]
    width = at[order[-1]] + max(56, 40 + min(max(last, default=0), gap[-1]))
    return picture(width, y + 8, life + boxes + parts)


def flowchart(lines):
    nodes, edges = {}, []
    shape = r"(\w+)(?:(\[\(|\(\[|\(\(|\[|\(|\{)\"?(.+?)\"?(?:\)\]|\]\)|\)\)|\]|\)|\}))?"

    def node(name, text):
        if text or name not in nodes:
            nodes[name] = text or name

    for line in lines:
        arrow = r"(--+>|==+>|-\.->|---|-- .+? -->|-\. .+? \.->|--+>\|[^|]+\|)"
        parts = re.split(rf"\s*{arrow}\s*", line.rstrip(";"))
        if len(parts) < 3:
            if not (match := re.fullmatch(shape, line)):
                raise Unknown(line)
            node(match.group(1), match.group(3))
            continue
        ends = []
        for part in parts[::2]:
            names = []
            for one in re.split(r"\s*&\s*", part):
                if not (match := re.fullmatch(shape, one)):
                    raise Unknown(line)
                node(match.group(1), match.group(3))
                names.append(match.group(1))
            ends.append(names)
        for number, one in enumerate(parts[1::2]):
            text = re.search(r"-- (.+?) -->|-\. (.+?) \.->|\|(.+)\|", one)
            said = next((group for group in text.groups() if group), "") if text else ""
            for begin in ends[number]:
                for end in ends[number + 1]:
                    edges.append((begin, end, said.strip('"'), "." in one, ">" in one))
    return nodes, edges


def states(lines):
    nodes, edges = {}, []
    for line in lines:
        match = re.fullmatch(r"(\[\*\]|\w+)\s*-->\s*(\[\*\]|\w+)(?:\s*:\s*(.+))?", line)
        if not match:
            raise Unknown(line)
        begin, end = match.group(1), match.group(2)
        begin = "_begin" if begin == "[*]" else begin
        end = "_end" if end == "[*]" else end
        for name in (begin, end):
            nodes.setdefault(name, "" if name.startswith("_") else name)
        edges.append((begin, end, match.group(3) or "", False, True))
    return nodes, edges


def placed(nodes, edges, direction):
    """The nodes where Graphviz puts them."""
    dot = shutil.which("dot")
    if not dot:
        raise Unknown("anything without Graphviz (Debian: graphviz)")
    source = [f"digraph {{ rankdir={direction}; nodesep=0.35; ranksep=0.5; node [shape=box fixedsize=true];"]
    rows_of = {}
    for name, text in nodes.items():
        rows = wrap(text, 24) or [""]
        rows_of[name] = rows
        wide = 14 if name.startswith("_") else max(len(row) for row in rows) * WIDE + 24
        high = 14 if name.startswith("_") else len(rows) * LINE + 14
        source.append(f'"{name}" [label="" width={wide / 72:.3f} height={high / 72:.3f}];')
    said = []
    for begin, end, text, _, _ in edges:
        rows = wrap(text, 22)
        said.append(rows)
        # A table of the label's size keeps its place free.
        wide = max((len(row) for row in rows), default=0) * WIDE + 8
        free = f'<table border="0" fixedsize="true" width="{wide:.0f}" height="{len(rows) * LINE + 4}"><tr><td></td></tr></table>'
        source.append(f'"{begin}" -> "{end}" [{f"label=<{free}>" if rows else ""}];')
    out = subprocess.run([dot, "-Tplain"], input="\n".join(source) + "}", text=True, capture_output=True, check=True).stdout
    plain = [line.split() for line in out.splitlines()]
    height = float(plain[0][3]) * 72
    width = float(plain[0][2]) * 72
    rest = list(zip(edges, said))
    parts, boxes, texts = [], [], []
    for row in plain:
        if row[0] == "node":
            name, x, y, wide, high = row[1].strip('"'), *(float(value) * 72 for value in row[2:6])
            y = height - y
            kind = "end" if name.startswith("_") else "node"
            round_by = 7 if name.startswith("_") else 5
            boxes.append(
                f'<rect class="{kind}" x="{x - wide / 2:.1f}" y="{y - high / 2:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="{round_by}"/>'
            )
            boxes.append(label(x, y, rows_of[name]))
        elif row[0] == "edge":
            begin, end, count = row[1].strip('"'), row[2].strip('"'), int(row[3])
            points = [float(value) * 72 for value in row[4 : 4 + 2 * count]]
            where = " ".join(f"{points[at]:.1f},{height - points[at + 1]:.1f}" for at in range(0, len(points), 2))
            first, *others = where.split(" ")
            found = next(number for number, (edge, _) in enumerate(rest) if edge[:2] == (begin, end))
            (_, _, _, is_dashed, has_arrow), rows = rest.pop(found)
            marker = ' marker-end="url(#arrow)"' if has_arrow else ""
            parts.append(f'<path class="edge{" dashed" if is_dashed else ""}"{marker} d="M{first} C{" ".join(others)}"/>')
            if rows:
                x, y = (float(value) * 72 for value in row[5 + 2 * count : 7 + 2 * count])
                texts.append(label(x, height - y, rows, kind="said"))
    return picture(width + 4, height + 4, parts + boxes + texts)
