#!/bin/bash
# websocket-client 1.2.3 (Python) names http:// as its Origin also when it connects over TLS, by wss://. What compares
# the scheme of an Origin with that of the connection refuses it.
# Seen with Debian's python3-websocket 1.2.3-1 on Python 3.11: Origin: http://localhost:PORT
#
# It runs without Rushgate. Exit 0: as seen; 1: something else; 2: could not be run. It needs apt-get of Debian 12,
# python3 and openssl, and writes only to a folder of its own in the temporary one.
set -u
cannot() { echo "cannot run: $*"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) && cd "$dir" || cannot "no folder"
trap 'rm -rf "$dir"' EXIT
apt-get download python3-websocket=1.2.3-1 >apt.log 2>&1 && dpkg-deb -x python3-websocket_*.deb package || cannot "$(tail -1 apt.log)"
cat >run.py <<'PY'
import sys
import origin
sys.path.insert(0, "package/usr/lib/python3/dist-packages")
import websocket
port, seen, thread = origin.serve()
try:
    websocket.create_connection(f"wss://localhost:{port}/", sslopt={"ca_certs": "cert.pem"}, timeout=10)
except websocket.WebSocketBadStatusException:
    pass  # as the server means it
thread.join(10)
print("websocket-client", websocket.__version__, "to wss://localhost:PORT sends", [s.replace(str(port), "PORT") for s in seen])
sys.exit(0 if seen == [f"Origin: http://localhost:{port}"] else 1)
PY
PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 timeout 60 python3 run.py
