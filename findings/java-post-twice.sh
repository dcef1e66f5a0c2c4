#!/bin/bash
# HttpURLConnection of JDK 17 sends a POST a second time by itself when the server closes the connection without an
# answer, though the first may have been carried out; the program learns nothing of it. The property
# sun.net.http.retryPost=false ends that. Give requests an id by which the server knows the second one.
# Seen with OpenJDK 17.0.21.1: one call, 2 POSTs; with the property, one call, 1 POSTs
#
# It runs without Rushgate. Exit 0: as seen; 1: something else; 2: could not be run. It needs a JDK 17.0.21.1, or apt-get
# of Debian 12 to get one (some 120 MB), and writes only to a folder of its own in the temporary one.
set -u
cannot() { echo "cannot run: $*"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) && cd "$dir" || cannot "no folder"
trap 'rm -rf "$dir"' EXIT
. "$here/jdk17"
cat >Post.java <<'JAVA'
import java.io.*;
import java.net.*;
import java.util.concurrent.atomic.*;

class Post {
    public static void main(String[] args) throws Exception {
        ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
        AtomicInteger posts = new AtomicInteger();
        Thread t = new Thread(() -> { try { for (;;) { try (Socket c = server.accept()) {
            InputStream in = c.getInputStream();
            StringBuilder b = new StringBuilder();
            while (b.indexOf("}") < 0) { int ch = in.read(); if (ch < 0) break; b.append((char) ch); }
            if (b.indexOf("}") >= 0) posts.incrementAndGet();
        } } } catch (IOException e) { } });
        t.setDaemon(true); t.start();
        HttpURLConnection c = (HttpURLConnection) new URL("http://127.0.0.1:" + server.getLocalPort() + "/").openConnection();
        c.setRequestMethod("POST"); c.setDoOutput(true);
        try { c.getOutputStream().write("{\"order\":1}".getBytes()); c.getResponseCode(); } catch (IOException e) {  }
        System.out.println(System.getProperty("java.version") + ": one call, " + posts + " POSTs on the wire");
        System.exit(posts.get() == Integer.parseInt(args[0]) ? 0 : 1);
    }
}
JAVA
timeout 60 "$java" Post.java 2 && timeout 60 "$java" -Dsun.net.http.retryPost=false Post.java 1
