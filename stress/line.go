package stress

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rushgate/rushgate/client"
)

// maxBody bounds an answer; more of it than a [client.Client] reads need not be kept.
const maxBody = 512 << 10

// line is a player's way to the server: an http.RoundTripper for one HTTP/1.1 request at a time, which it carries out on
// the caller's goroutine. That is what lets one core make the requests of thousands: [http.Transport] needs two more
// goroutines and their wake-ups for each connection.
type line struct {
	dial dialFunc
	tls  *tls.Config

	mu     sync.Mutex // held during a request
	conn   net.Conn   // nil: none
	reader *bufio.Reader
}

// errBusyLine is a mistake of the caller.
var errBusyLine = errors.New("stress: a request while another one is under way")

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 2<<10) }}

// RoundTrip implements [http.RoundTripper].
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	if !l.mu.TryLock() {
		return nil, errBusyLine
	}
	defer l.mu.Unlock()
	warm := l.conn != nil
	resp, begun, err := l.attempt(req)
	if err != nil && warm && !begun && req.Context().Err() == nil && req.GetBody != nil {
		// The server has closed the connection while it was idle, and has not seen this request.
		body, bodyErr := req.GetBody()
		if bodyErr != nil {
			return nil, bodyErr
		}
		again := req.Clone(req.Context())
		again.Body = body
		resp, _, err = l.attempt(again)
	}
	return resp, err
}

// attempt carries a request out once. begun reports whether the answer has begun.
func (l *line) attempt(req *http.Request) (resp *http.Response, begun bool, err error) {
	ctx := req.Context()
	if l.conn == nil {
		if err := l.connect(ctx, req); err != nil {
			if req.Body != nil {
				_ = req.Body.Close() // it is in memory
			}
			return nil, false, err
		}
	}
	conn := l.conn
	abort := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // wakes whoever reads or writes
	defer func() {
		inTime := abort()
		if err != nil || !inTime || resp.Close {
			l.hangUp()
		}
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	if err := req.Write(conn); err != nil {
		return nil, false, err
	}
	if _, err := l.reader.Peek(1); err != nil {
		return nil, false, fmt.Errorf("reading the answer: %w", err)
	}
	resp, err = http.ReadResponse(l.reader, req)
	if err != nil {
		return nil, true, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, true, err
	}
	if len(body) > maxBody {
		return nil, true, fmt.Errorf("an answer of more than %d bytes", maxBody)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, true, nil
}

func (l *line) connect(ctx context.Context, req *http.Request) error {
	ctx, cancel := context.WithTimeout(ctx, client.DefaultTryTimeout)
	defer cancel()
	address := req.URL.Host
	if req.URL.Port() == "" {
		address = net.JoinHostPort(req.URL.Hostname(), req.URL.Scheme) // "http" and "https" name the ports
	}
	conn, err := l.dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if req.URL.Scheme == "https" {
		cfg := l.tls.Clone()
		cfg.ServerName = req.URL.Hostname()
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake's error is the one that counts
			return err
		}
		conn = secure
	}
	l.conn, l.reader = conn, readers.Get().(*bufio.Reader)
	l.reader.Reset(conn)
	return nil
}

// hangUp closes the connection. l.mu is held.
func (l *line) hangUp() {
	if l.conn == nil {
		return
	}
	_ = l.conn.Close() // whatever it had to say has been read
	l.reader.Reset(nil)
	readers.Put(l.reader)
	l.conn, l.reader = nil, nil
}

// CloseIdleConnections closes the connection unless a request is under way.
func (l *line) CloseIdleConnections() {
	if l.mu.TryLock() {
		l.hangUp()
		l.mu.Unlock()
	}
}
