#!/bin/bash
# nginx, told to pass datagrams on with the PROXY protocol (proxy_protocol on, in a server that listens to udp),
# writes its header before the first datagram of a session alone, within the same datagram, and none before the ones
# that follow: what receives them has to remember by address what the first one said, and is lost if that one is. The
# header is the text of version 1, and says TCP4, as that version has no word for UDP. A client that is silent for
# proxy_timeout begins a new session, whose first datagram comes from another port and has a header again. A receiver
# that takes off a header from each datagram, as from each connection, drops all but the first ones, and one that
# looks for version 2, which has a code for datagrams, finds none.
#
# Seen with Debian's nginx 1.22.1-9+deb12u11 and its stream module: three datagrams, a pause, one more: headers before
# the first and the last, "PROXY TCP4 …".
# It runs without Rushgate. Exit 0: as seen; 1: something else; 2: could not be run. It needs nginx 1.22 with the
# stream module (Debian 12: apt-get install nginx libnginx-mod-stream) and python3, and writes only to a folder of its
# own.
set -u
cannot() { echo "cannot run: $*"; exit 2; }
nginx=$(PATH=$PATH:/usr/sbin type -P nginx) || cannot "no nginx"
module=/usr/lib/nginx/modules/ngx_stream_module.so
[ -e $module ] || cannot "no stream module"
dir=$(mktemp -d) && cd "$dir" || cannot "no folder"
trap 'rm -rf "$dir"' EXIT
cat >run.py <<'PY'
import os, re, socket, subprocess, sys, time
nginx, module, here = sys.argv[1], sys.argv[2], os.getcwd()
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(5)
    return s
upstream, client, first, spare = udp(), udp(), udp(), udp()
at = spare.getsockname()
spare.close()
with open("nginx.conf", "w") as f:
    f.write(f"""daemon off; pid {here}/pid; error_log stderr; worker_processes 1; load_module {module};
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 64; }}
stream {{ server {{
    listen 127.0.0.1:{at[1]} udp; proxy_pass 127.0.0.1:{upstream.getsockname()[1]};
    proxy_protocol on; proxy_timeout 3s;
}} }}
""")
proxy = subprocess.Popen([nginx, "-e", "stderr", "-c", here + "/nginx.conf"], stderr=subprocess.DEVNULL)
def receive(text):
    """Returns what comes through that ends with a text, and from which port."""
    while True:
        data, source = upstream.recvfrom(1000)
        if data.endswith(text):
            return data, source[1]
try:
    upstream.settimeout(0.1)
    for _ in range(100):  # with another client, until nginx listens
        try:
            first.sendto(b"up", at)
            receive(b"up")
            break
        except OSError:
            time.sleep(0.05)
    upstream.settimeout(5)
    got = []
    for text in (b"one", b"two", b"three", b"after a pause"):
        if text == b"after a pause":
            time.sleep(4)
        client.sendto(text, at)
        got.append(receive(text))
except OSError as e:
    print("cannot run: nothing comes through nginx:", e)
    sys.exit(2)
finally:
    proxy.terminate()
    proxy.wait()
print(subprocess.run([nginx, "-v"], capture_output=True, text=True).stderr.strip())
for data, port in got:
    print(data)
header = b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" % (client.getsockname()[1], at[1])
seen = [data.startswith(header) for data, _ in got]
plain = [got[1][0], got[2][0]] == [b"two", b"three"]
ports = got[0][1] == got[1][1] == got[2][1] != got[3][1]
sys.exit(0 if seen == [True, False, False, True] and plain and ports else 1)
PY
timeout 60 python3 run.py "$nginx" $module
