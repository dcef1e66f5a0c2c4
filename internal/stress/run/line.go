package run

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
)

// Bounds of an answer; more of it than a [client.Client] reads need not be kept.
const (
	maxBody   = 512 << 10
	maxAnswer = 2 * maxBody // with its header and the interim answers before it
)

// line is a player's way to the server: an http.RoundTripper for one HTTP/1.1 request at a time, which it carries out
// on the caller's goroutine. That is what lets one core make the requests of thousands: [http.Transport] needs two more
// goroutines and their wake-ups for each connection.
type line struct {
	dial dialFunc
	tls  *tls.Config
	// within is how long a connection may take to make; 0: as long as the request.
	within time.Duration

	mu     sync.Mutex       // held during a request
	conn   net.Conn         // nil: none
	bound  io.LimitedReader // conn, for as much as the server may still say
	reader *bufio.Reader    // of bound
}

// errBusyLine is a mistake of the caller.
var errBusyLine = errors.New("stress: a request while another one is under way")

var errTooLong = fmt.Errorf("an answer of more than %d bytes", maxBody)

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 2<<10) }}

// RoundTrip implements [http.RoundTripper].
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	if !l.mu.TryLock() {
		closeBody(req)
		return nil, errBusyLine
	}
	defer l.mu.Unlock()
	if err := req.Context().Err(); err != nil {
		closeBody(req)
		return nil, err
	}
	warm := l.conn != nil
	resp, begun, err := l.attempt(req)
	if err == nil || !warm || begun || req.Context().Err() != nil {
		return resp, err
	}
	// The server has closed the connection while it was idle and most likely has not seen this request. If it has, the
	// attempt id of registrations and logins tells it so.
	again := req.Clone(req.Context())
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return nil, err
		}
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	resp, _, err = l.attempt(again)
	return resp, err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // it is in memory
	}
}

// attempt carries a request out once. begun reports whether the answer has begun.
func (l *line) attempt(req *http.Request) (resp *http.Response, begun bool, err error) {
	ctx := req.Context()
	if l.conn == nil {
		if err := l.connect(ctx, req); err != nil {
			closeBody(req)
			return nil, false, err
		}
	}
	conn := l.conn
	abort := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // wakes the reader or writer
	defer func() {
		inTime := abort()
		if err != nil || !inTime || resp.Close || l.reader.Buffered() > 0 { // bytes that were not asked for answer nothing
			l.hangUp()
		}
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	if err := req.Write(conn); err != nil {
		return nil, false, err
	}
	l.bound.N = maxAnswer
	if _, err := l.reader.Peek(1); err != nil {
		return nil, false, fmt.Errorf("reading the answer: %w", err)
	}
	resp, err = l.answer(req)
	return resp, true, err
}

// answer reads a whole answer, after interim ones that may come before it.
func (l *line) answer(req *http.Request) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(l.reader, req)
		if err != nil {
			return nil, l.tooLong(err)
		}
		if resp.StatusCode < http.StatusOK && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
		if err != nil {
			return nil, l.tooLong(err)
		}
		if len(body) > maxBody || l.bound.N <= 0 {
			return nil, errTooLong
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, nil
	}
}

// tooLong returns why an answer could not be read to its end.
func (l *line) tooLong(err error) error {
	if l.bound.N <= 0 {
		return errTooLong
	}
	return err
}

func (l *line) connect(ctx context.Context, req *http.Request) error {
	if l.within > 0 {
		limited, cancel := context.WithTimeout(ctx, l.within)
		defer cancel()
		ctx = limited
	}
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
	l.bound.R = conn
	l.reader.Reset(&l.bound)
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
	l.conn, l.bound.R, l.reader = nil, nil, nil
}

// CloseIdleConnections closes the connection unless a request is under way.
func (l *line) CloseIdleConnections() {
	if l.mu.TryLock() {
		l.hangUp()
		l.mu.Unlock()
	}
}
