#!/bin/bash
# nginx passes the datagrams of one client on from another source port after a reload, although the session that it has
# for the client (proxy_timeout) is far from over: new workers know nothing of the old ones' sessions. What knows its
# clients by address, as netcode, QUIC without migration or DTLS do, loses all of them at once.
# Seen with Debian's nginx 1.22.1-9+deb12u11 and its stream module: two datagrams, a reload, one more datagram; the first
# two from one port, the third from another.
#
# It runs without Rushgate. Exit 0: as seen; 1: something else; 2: could not be run. It needs nginx 1.22 with the stream
# module (Debian 12: apt-get install nginx libnginx-mod-stream) and python3, and writes only to a folder of its own.
set -u
cannot() { echo "cannot run: $*"; exit 2; }
nginx=$(PATH=$PATH:/usr/sbin type -P nginx) || cannot "no nginx"
module=/usr/lib/nginx/modules/ngx_stream_module.so
[ -e $module ] || cannot "no stream module"
dir=$(mktemp -d) && cd "$dir" || cannot "no folder"
trap 'rm -rf "$dir"' EXIT
cat >run.py <<'PY'
import os, signal, socket, subprocess, sys, time
nginx, module, here = sys.argv[1], sys.argv[2], os.getcwd()
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(0.2)
    return s
upstream, client, spare = udp(), udp(), udp()
at = spare.getsockname()
spare.close()
with open("nginx.conf", "w") as f:
    f.write(f"""daemon off; pid {here}/pid; error_log stderr; worker_processes 1; load_module {module};
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 64; }}
stream {{ server {{ listen 127.0.0.1:{at[1]} udp; proxy_pass 127.0.0.1:{upstream.getsockname()[1]}; proxy_timeout 60s; }} }}
""")
proxy = subprocess.Popen([nginx, "-e", "stderr", "-c", here + "/nginx.conf"], stderr=subprocess.DEVNULL)
def through(text):
    """Sends a datagram until it has come through, and returns the port that it comes from."""
    for _ in range(100):
        try:
            client.sendto(text, at)
            while True:
                data, source = upstream.recvfrom(100)
                if data == text:
                    return source[1]
        except OSError:  # nobody listens yet
            time.sleep(0.05)
    sys.exit("nothing comes through nginx")
def workers():
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(proxy.pid)], capture_output=True, text=True).stdout
    return set(out.split())
try:
    first, second = through(b"1"), through(b"2")
    before = workers()
    proxy.send_signal(signal.SIGHUP)
    for _ in range(200):
        if workers() and not workers() & before:
            break
        time.sleep(0.05)
    third = through(b"3")
finally:
    proxy.terminate()
    proxy.wait()
version = subprocess.run([nginx, "-v"], capture_output=True, text=True).stderr.strip()
print(f"{version}: two datagrams come from {'one port' if first == second else 'two ports'}, one after a reload from",
      "the same" if third == second else "another")
sys.exit(0 if first == second != third else 1)
PY
timeout 60 python3 run.py "$nginx" $module
