#!/bin/bash
# java.net.http of JDK 17 garbles what WebSocket.sendBinary is given in a ByteBuffer of little-endian order, which many
# use to write numbers of a binary protocol: the frame arrives with its length and other bytes. The same bytes in a buffer
# of the default order arrive as they are. Set the order back before sending: buffer.order(ByteOrder.BIG_ENDIAN).
# Seen with OpenJDK 17.0.21.1: BIG_ENDIAN: as sent, LITTLE_ENDIAN: garbled
#
# It runs without Rushgate. Exit 0: as seen; 1: something else; 2: could not be run. It needs a JDK 17.0.21.1, or apt-get
# of Debian 12 to get one (some 120 MB), and writes only to a folder of its own in the temporary one.
set -u
cannot() { echo "cannot run: $*"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) && cd "$dir" || cannot "no folder"
trap 'rm -rf "$dir"' EXIT
. "$here/jdk17"
cat >Order.java <<'JAVA'
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;

class Order {
    /** Answers the handshake of a WebSocket and returns the payload of the first frame, unmasked. */
    static byte[] receive(ServerSocket server) throws Exception {
        try (Socket c = server.accept()) {
            BufferedReader r = new BufferedReader(new InputStreamReader(c.getInputStream(), "ISO-8859-1"), 1);
            DataInputStream in = new DataInputStream(c.getInputStream());
            String key = "", line = "";
            for (StringBuilder b = new StringBuilder();;) {
                int ch = in.read();
                if (ch == '\n') {
                    line = b.toString().trim();
                    b.setLength(0);
                    if (line.isEmpty()) break;
                    if (line.toLowerCase().startsWith("sec-websocket-key:")) key = line.substring(18).trim();
                } else b.append((char) ch);
            }
            byte[] digest = MessageDigest.getInstance("SHA-1").digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").getBytes());
            c.getOutputStream().write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: " + Base64.getEncoder().encodeToString(digest) + "\r\n\r\n").getBytes());
            in.readByte();
            int n = in.readByte() & 0x7f;
            byte[] mask = in.readNBytes(4), payload = in.readNBytes(n);
            for (int i = 0; i < n; i++) payload[i] ^= mask[i & 3];
            return payload;
        }
    }

    static byte[] sent(ByteOrder order, int n) throws Exception {
        ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        var received = CompletableFuture.supplyAsync(() -> { try { return receive(server); } catch (Exception e) { throw new RuntimeException(e); } });
        WebSocket ws = HttpClient.newHttpClient().newWebSocketBuilder()
            .buildAsync(URI.create("ws://127.0.0.1:" + server.getLocalPort() + "/"), new WebSocket.Listener() {}).get(10, TimeUnit.SECONDS);
        ByteBuffer b = ByteBuffer.allocate(n).order(order);
        for (int i = 0; i < n; i++) b.put((byte) i);
        ws.sendBinary(b.flip(), true);
        return received.get(10, TimeUnit.SECONDS);
    }

    public static void main(String[] args) throws Exception {
        boolean asSeen = true;
        for (ByteOrder order : List.of(ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN)) {
            byte[] want = new byte[24];
            for (int i = 0; i < want.length; i++) want[i] = (byte) i;
            boolean whole = Arrays.equals(sent(order, want.length), want);
            System.out.println(System.getProperty("java.version") + " " + order + ": " + (whole ? "as sent" : "garbled"));
            asSeen &= whole == (order == ByteOrder.BIG_ENDIAN);
        }
        System.exit(asSeen ? 0 : 1);
    }
}
JAVA
timeout 60 "$java" Order.java
