#!/bin/bash
# websocket-client 1.2.3 (Python) names http:// as its Origin also when it connects over TLS, by wss://. What compares
# the scheme of an Origin with that of the connection refuses it.
# Seen with Debian's python3-websocket 1.2.3-1 on Python 3.11: Origin: http://localhost:PORT
#
# It runs without Rushgate. Exit 0: as seen; 1: something else; 2: could not be run. It needs apt-get of Debian 12,
# python3 and openssl, and writes only to a folder of its own in the temporary one.
set -u
cannot() { echo "cannot run: $*"; exit 2; }
dir=$(mktemp -d) && cd "$dir" || cannot "no folder"
trap 'rm -rf "$dir"' EXIT
apt-get download python3-websocket=1.2.3-1 >apt.log 2>&1 && dpkg-deb -x python3-websocket_*.deb package || cannot "$(tail -1 apt.log)"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 1 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>openssl.log || cannot "$(tail -1 openssl.log)"
cat >run.py <<'PY'
import socket, ssl, sys, threading
sys.path.insert(0, "package/usr/lib/python3/dist-packages")
import websocket
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
seen = []
def serve():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain("cert.pem", "key.pem")
    with tls.wrap_socket(server.accept()[0], server_side=True) as c:
        request = b""
        while b"\r\n\r\n" not in request:
            request += c.recv(4096)
        seen.extend(line for line in request.decode().split("\r\n") if line.lower().startswith("origin:"))
        c.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
thread = threading.Thread(target=serve)
thread.start()
try:
    websocket.create_connection(f"wss://localhost:{port}/", sslopt={"ca_certs": "cert.pem"}, timeout=10)
except websocket.WebSocketBadStatusException:
    pass  # as the server means it
thread.join(10)
print("websocket-client", websocket.__version__, "to wss://localhost:PORT sends", [s.replace(str(port), "PORT") for s in seen])
sys.exit(0 if seen == [f"Origin: http://localhost:{port}"] else 1)
PY
timeout 60 python3 run.py
