"""A server that speaks TLS as localhost, and refuses the one request that it gets after noting its Origin.

Its certificate is cert.pem in the current folder."""
import socket, ssl, subprocess, sys, threading

def serve():
    """Returns the server's port, what it notes, and the thread that it runs on."""
    made = subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 1 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost".split(), capture_output=True, text=True)
    if made.returncode != 0:
        print("cannot run:", made.stderr)
        sys.exit(2)
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []
    def answer():
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain("cert.pem", "key.pem")
        with tls.wrap_socket(listener.accept()[0], server_side=True) as c:
            request = b""
            while b"\r\n\r\n" not in request:
                request += c.recv(4096)
            seen.extend(line for line in request.decode().split("\r\n") if line.lower().startswith("origin:"))
            c.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return listener.getsockname()[1], seen, thread
