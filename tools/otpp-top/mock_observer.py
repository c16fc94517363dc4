#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
#
# mock_observer.py <port> <log> [<token>]
#
# For top.test.sh: an observer with 312 processes, of which number 7 is stuck and 8 has a name that would harm a
# terminal. It prints its port, and writes each request's target to the log. Port 0: any.
import json
import sys
import time
from socketserver import StreamRequestHandler, ThreadingTCPServer  # http.server takes long to load
from urllib.parse import parse_qs, urlsplit

PORT, LOG = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
TOKEN = sys.argv[3] if len(sys.argv) > 3 else None
HOSTILE = "evil\x1b[2J\x1b]0;pwned\x07\n\u202e\u200bL\x9b31m\u0000\u4e2d\u6587Z" + "\u0301" * 50 + "end@@"


def row(i):
    stuck = i == 7
    return {
        "id": i, "name": {7: "stuck_one", 8: HOSTILE}.get(i, f"worker#{i}"), "names": ["a_name"] if stuck else [],
        "type": "shop::worker" if i % 2 else "shop::cart", "parent": 1 if i > 1 else None, "child": f"w{i}",
        "supervisor": i == 1, "context": 1, "queue": i % 300, "longest": 300, "limit": 1000 if i % 2 else None,
        "messages": 1000 + i, "rate": i / 2, "busy": (i % 100) / 100, "handling": "shop::pay" if stuck else None,
        "handling_for": 12.3 if stuck else None, "age": 125.0 + i, "restarts": i % 3,
        "waits_for": [8] if stuck else [], "cycle": [7, 8] if stuck else None,
        "ended": {"reason": "shutdown", "ago": 3.2} if i == 9 else None, "lints": ["stuck"] if stuck else [],
    }


ROWS = [row(i) for i in range(1, 313)]


def processes(query):
    key = query.get("sort", ["id"])[0]
    rows = ROWS
    for word in query.get("q", [""])[0].lower().split():
        rows = [r for r in rows if word in f"{r['name']} {r['type']} {r['id']}".lower()]
    none_last = query.get("order", ["asc"])[0] != "desc"
    rows = sorted(rows, key=lambda r: ((r[key] is None) == none_last, r[key] or type(r[key] or 0)()),
                  reverse=not none_last)
    offset, n = int(query.get("offset", ["0"])[0]), int(query.get("n", ["50"])[0])
    return {"time": time.time(), "total": len(ROWS), "matched": len(rows), "offset": offset,
            "rows": rows[offset:offset + n]}


def node(i, children):
    r = ROWS[i - 1]
    return {**{k: r[k] for k in ("id", "name", "type", "child", "restarts", "handling", "handling_for", "queue",
                                 "ended", "lints")},
            "restart": "permanent" if i > 1 else None,
            "supervisor": {"strategy": "one_for_one", "intensity": 3, "period": 5.0, "recent": 2} if i == 1 else None,
            "children": children, "more": 4 if children else 0}


def answer(path, query):
    now = time.time()
    if path == "/api/v1/tick":
        return {"time": now, "processes": 312, "messages": 120.5, "busy": 0.8, "queue": 5, "crashes": 17, "changes": 4,
                "lints": [{"id": 7, "name": "stuck_one", "kind": "stuck",
                           "text": "stuck_one handles shop::pay since 12.3 s"}], "lints_total": 1}
    if path == "/api/v1/processes":
        return processes(query)
    if path == "/api/v1/tree":
        return {"time": now, "roots": [node(1, [node(i, []) for i in range(2, 60)])], "more": 0}
    if path == "/api/v1/crashes":
        return {"time": now, "crashes": [{
            "server": '"payments"', "type": "shop::payments", "id": 3, "reason": "std::runtime_error: no money",
            "message": "shop::pay", "where": "shop.cpp:42", "dropped": 3, "state": "total=7\nopen=2", "count": 5,
            "first": now - 90, "last": now - 2}],
            "supervisors": [{"time": now - 2, "supervisor": '"main"', "child": "w1", "event": "restarted",
                             "reason": "no money"}]}
    if path == "/api/v1/process":
        i = int(query["id"][0])
        return {"time": now, "row": ROWS[i - 1], "links": [{"id": 1, "name": "main"}], "monitors": [],
                "monitored_by": [],
                "history": {"interval": 1.0, "end": now, "messages": [0, 1, 2, 4, 8], "busy": [0, 0.5, 1],
                            "queue": [3, 2, 1], "marks": []},
                "recent": [
                    {"message": "shop::pay", "kind": "call", "waited": 0.001, "ran": 0.2, "ago": 1.2, "error": None},
                    {"message": "", "kind": "timeout", "waited": None, "ran": 0.00002, "ago": 3.4,
                     "error": "no " + HOSTILE[:5]}],
                "ran": {"for": 9.5, "up_to": [1e-05, 0.0001, 0.001, 0.01, 0.1, 1], "counts": [0, 1, 0, 0, 0, 1, 2]}}
    if path == "/api/v1/status":
        return {"error": "did not answer within 1 s: its handler has run for 12.3 s"}
    return None


class Handler(StreamRequestHandler):
    def handle(self):
        target = self.rfile.readline().decode().split()[1]
        head = [line.decode().strip() for line in iter(self.rfile.readline, b"\r\n")]
        LOG.write(target + "\n")
        url = urlsplit(target)
        if TOKEN is not None and "Authorization: Bearer " + TOKEN not in head:
            status, said = "401 Unauthorized", {"error": "a token is wanted"}
        else:
            said = answer(url.path, parse_qs(url.query))
            status = "200 OK" if said is not None else "404 Not Found"
        # A server that does not keep to JSON: raw bytes that are no UTF-8.
        body = json.dumps(said or {"error": "no such path"}, ensure_ascii=False).encode().replace(b"@@", b"\xff\xc3")
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


server = Server(("127.0.0.1", PORT), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
