#!/bin/bash
# libwebsockets 4.1.6 (C) puts http:// before the origin that a program gives it as a host, also when it connects over TLS.
# What compares the scheme of an Origin with that of the connection refuses it; and since the examples give the address
# without a port, so does what compares ports.
# Seen with Debian's libwebsockets17 4.1.6-3: Origin: http://localhost, to a server that speaks TLS on another port.
#
# It runs without Rushgate. Exit 0: as seen; 1: something else; 2: could not be run. It needs apt-get of Debian 12 (amd64),
# gcc, python3 and openssl, and writes only to a folder of its own in the temporary one.
set -u
cannot() { echo "cannot run: $*"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) && cd "$dir" || cannot "no folder"
trap 'rm -rf "$dir"' EXIT
apt-get download libwebsockets17=4.1.6-3 libwebsockets-dev=4.1.6-3 libev4 libuv1 libcap2 libcap-dev libuv1-dev libev-dev \
	libssl-dev >apt.log 2>&1 || cannot "$(tail -1 apt.log)"
for package in *.deb; do dpkg-deb -x "$package" unpacked || cannot "$package"; done
cat >client.c <<'C'
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
static int done;
static int callback(struct lws *wsi, enum lws_callback_reasons why, void *user, void *in, size_t len) {
	if (why == LWS_CALLBACK_CLIENT_CONNECTION_ERROR) done = 1;
	return 0;
}
static const struct lws_protocols protocols[] = {{"x", callback, 0, 0, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};
int main(int argc, char **argv) {
	struct lws_context_creation_info info;
	struct lws_client_connect_info i;
	memset(&info, 0, sizeof info); memset(&i, 0, sizeof i);
	lws_set_log_level(0, NULL);
	info.port = CONTEXT_PORT_NO_LISTEN; info.protocols = protocols; info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	i.context = lws_create_context(&info);
	i.address = i.host = i.origin = "localhost"; i.port = atoi(argv[1]); i.path = "/"; i.protocol = "x";
	i.ssl_connection = LCCSCF_USE_SSL | LCCSCF_ALLOW_SELFSIGNED;
	if (!lws_client_connect_via_info(&i)) return 2;
	for (int n = 0; !done && n < 100; n++) lws_service(i.context, 100);
	lws_context_destroy(i.context);
	return 0;
}
C
lib=unpacked/usr/lib/x86_64-linux-gnu
gcc -I unpacked/usr/include -I unpacked/usr/include/x86_64-linux-gnu client.c -o client $lib/libwebsockets.so.17 -Wl,--allow-shlib-undefined \
	2>gcc.log || cannot "$(tail -3 gcc.log)"
cat >run.py <<'PY'
import os, subprocess, sys
import origin
port, seen, thread = origin.serve()
paths = "unpacked/usr/lib/x86_64-linux-gnu:unpacked/lib/x86_64-linux-gnu"
subprocess.run(["./client", str(port)], timeout=30, env={**os.environ, "LD_LIBRARY_PATH": paths})
print("libwebsockets 4.1.6, told that the origin is localhost, sends over TLS", seen)
sys.exit(0 if seen == ["Origin: http://localhost"] else 1)
PY
PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 timeout 60 python3 run.py
