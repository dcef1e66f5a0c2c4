package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/netcode"
)

const (
	// subprotocol is the WebSocket subprotocol of the realtime channel.
	subprotocol = "rushgate.v1"
	// silenceTimeout ends a WebSocket over which nothing has come for so long: the server pings every 5 s.
	silenceTimeout = 10 * time.Second
	// goodbyeTimeout is how long a server may take to answer the closing of a WebSocket.
	goodbyeTimeout = time.Second
	// maxPackets is how many bytes of the game's messages wait to be written.
	maxPackets = 64 << 10
)

// webSocket is a connection over a WebSocket, as in section 1.1 of docs/protocol.md. The caller of Read keeps it alive;
// there is another goroutine only while something is written.
type webSocket struct {
	ws   *websocket.Conn
	wire io.Closer // below ws, which cannot be hurried

	begun time.Time
	heard atomic.Int64 // when something last came, pings included: nanoseconds since begun
	tasks sync.WaitGroup
	left  atomic.Bool   // Close was called
	gone  chan struct{} // closed when Close is done

	mu       sync.Mutex
	closing  bool
	silent   bool        // the wire was closed for the server's silence
	timer    *time.Timer // counts as a task while it is armed
	writing  bool        // there is a goroutine for it, or nothing can be written any more
	waiting  []byte      // the message to write next, but for packets; empty: none
	packets  [][]byte    // of the game's messages, which are written before
	size     int         // of packets
	outgoing []byte      // of the goroutine that writes

	// Owned by the goroutine that reads.
	first int // length of the message in buf that came before the first Read, -1 for none
	buf   [netcode.MaxPayload + 1]byte
}

// openWebSocket makes a connection over a WebSocket. It stands when the first message has come, the only sign that the
// server has accepted the session.
func (rt *Realtime) openWebSocket(ctx context.Context, a *approach) (connection, error) {
	c, token := rt.session.client, rt.session.grant.sessionToken()
	transport := rt.opts.Transport
	if transport == nil {
		transport = c.opts.Transport
	}
	if c.stale.Swap(false) {
		closeIdle(transport)
		c.CloseIdleConnections()
	}
	r := request{op: "channel", path: "/v1/channel", token: token, within: min(renewTimeout, c.opts.TryTimeout)}
	tryCtx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	w := &webSocket{begun: time.Now(), first: -1, gone: make(chan struct{})}
	if refused, err := w.dial(tryCtx, transport, cmp.Or(rt.session.base(), c.base)+r.path); err != nil {
		return nil, c.notOpened(ctx, tryCtx, &r, refused, err)
	}
	if w.ws.Subprotocol() != subprotocol {
		_ = w.Close() // never fails
		return nil, r.bad("a WebSocket without the subprotocol %s", subprotocol)
	}
	a.committed.Store(true)
	if err := w.greet(tryCtx, token); err != nil {
		_ = w.Close() // never fails
		return nil, c.notGreeted(ctx, tryCtx, &r, err)
	}
	return w, nil
}

// upgrade remembers what a transport has made of a request for a WebSocket.
type upgrade struct {
	http.RoundTripper
	body io.Closer
}

// RoundTrip implements [http.RoundTripper].
func (u *upgrade) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := u.RoundTripper.RoundTrip(req)
	if err == nil {
		u.body = resp.Body
	}
	return resp, err
}

// dial opens the WebSocket. With an error there may be the server's answer, with up to 1 KiB of its body.
func (w *webSocket) dial(ctx context.Context, transport http.RoundTripper, address string) (*answer, error) {
	u := &upgrade{RoundTripper: transport}
	ws, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     u,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Subprotocols:   []string{subprotocol},
		OnPingReceived: func(context.Context, []byte) bool { w.hear(); return true },
		OnPongReceived: func(context.Context, []byte) { w.hear() },
	})
	if err != nil && resp != nil {
		body, _ := io.ReadAll(resp.Body) // in memory
		_ = resp.Body.Close()            // likewise
		return &answer{status: resp.StatusCode, header: resp.Header, body: body}, err
	}
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(netcode.MaxPayload)
	w.ws, w.wire = ws, u.body
	w.hear()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks.Add(1)
	w.timer = time.AfterFunc(silenceTimeout, w.onTimer)
	return nil, nil
}

// notOpened returns why a handshake has failed, if it was refused with that answer.
func (c *Client) notOpened(ctx, tryCtx context.Context, r *request, refused *answer, err error) error {
	switch {
	case refused == nil:
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return c.lost(ctx, tryCtx, r, err)
	case refused.status == http.StatusSwitchingProtocols:
		return r.bad("a handshake that opens no WebSocket")
	case refused.status == http.StatusNotFound:
		return fmt.Errorf("client: %s: %w", r.op, ErrNoChannel)
	}
	return r.refusal(*refused)
}

// greet tells the server whose connection it is, and waits for the first message.
func (w *webSocket) greet(ctx context.Context, token string) error {
	greeting, err := json.Marshal(struct {
		Token string `json:"session_token"`
	}{token})
	if err != nil {
		return err
	}
	_ = w.ws.Write(ctx, websocket.MessageText, greeting) // if that fails, reading tells why
	w.first, err = w.message(ctx)
	return err
}

// notGreeted returns why no first message came.
func (c *Client) notGreeted(ctx, tryCtx context.Context, r *request, err error) error {
	err = closed(err)
	if _, ok := errors.AsType[*rushgate.Refusal](err); ok || errors.Is(err, ErrReplaced) {
		return fmt.Errorf("client: %s: %w", r.op, err)
	}
	return c.lost(ctx, tryCtx, r, err)
}

// LastReceived returns when something last came, pings and pongs included.
func (w *webSocket) LastReceived() time.Time { return w.begun.Add(time.Duration(w.heard.Load())) }

// ask asks the server for a sign of life, which is a pong. It does not wait.
func (w *webSocket) ask() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return
	}
	w.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), silenceTimeout)
		defer cancel()
		_ = w.ws.Ping(ctx) // it is for the keeper to see whether something comes
	})
}

// hear notes that something has come.
func (w *webSocket) hear() { w.heard.Store(int64(time.Since(w.begun))) }

// message reads the next message into w.buf and returns its length, 0 for one that is not binary.
func (w *webSocket) message(ctx context.Context) (int, error) {
	kind, r, err := w.ws.Reader(ctx)
	if err != nil {
		return 0, err
	}
	w.hear()
	for n := 0; ; {
		k, err := r.Read(w.buf[n:]) // which fails before that is empty: its limit is less
		n += k
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			return 0, err
		case kind != websocket.MessageBinary:
			return 0, nil
		default:
			return n, nil
		}
	}
}

// Read returns the next message, of netcode.MaxPayload bytes at most: buf is to have room for it. One goroutine at a
// time may call it. The error is a [*lostError].
func (w *webSocket) Read(buf []byte) (int, error) {
	n := w.first
	if w.first = -1; n < 0 {
		var err error
		if n, err = w.message(context.Background()); err != nil { // without a context that can end, it allocates nothing
			return 0, w.lost(err)
		}
	}
	return copy(buf, w.buf[:n]), nil
}

// Write has a message written. It does not block: on a connection that does not take it, it waits until a newer one
// takes its place. The error is that of Read, or none.
func (w *webSocket) Write(message []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return nil
	}
	w.waiting = append(w.waiting[:0], message...)
	if !w.writing {
		w.writing = true
		w.tasks.Go(w.flush)
	}
	return nil
}

// writeMessages has a packet of the game's messages written. It does not block: on a connection that does not take
// them, what finds no room is dropped.
func (w *webSocket) writeMessages(packet []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing || w.size+len(packet) > maxPackets {
		return
	}
	w.packets = append(w.packets, slices.Clone(packet))
	w.size += len(packet)
	if !w.writing {
		w.writing = true
		w.tasks.Go(w.flush)
	}
}

// flush writes until nothing waits.
func (w *webSocket) flush() {
	for w.next() {
		if err := w.ws.Write(context.Background(), websocket.MessageBinary, w.outgoing); err != nil {
			_ = w.wire.Close() // the reader learns of it
			return
		}
	}
}

// next puts the message that waits into w.outgoing. If there is none, writing is over.
func (w *webSocket) next() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.packets) > 0 && !w.closing {
		w.outgoing = w.packets[0]
		w.size -= len(w.outgoing)
		w.packets = slices.Delete(w.packets, 0, 1)
		return true
	}
	w.writing = len(w.waiting) > 0 && !w.closing
	w.waiting, w.outgoing = w.outgoing[:0], w.waiting
	return w.writing
}

// onTimer closes the wire when the server has been silent, or is too slow to answer a goodbye.
func (w *webSocket) onTimer() {
	w.mu.Lock()
	if left := silenceTimeout - (time.Since(w.begun) - time.Duration(w.heard.Load())); left > 0 && !w.closing {
		w.timer.Reset(left)
		w.mu.Unlock()
		return
	}
	w.silent = !w.closing
	w.mu.Unlock()
	_ = w.wire.Close() // the reader learns of it
	w.tasks.Done()
}

// Close tells the server that the client leaves, ends a Read that waits, and returns when nothing is left running. It
// is idempotent. The error is always nil.
func (w *webSocket) Close() error {
	if w.left.Swap(true) {
		<-w.gone
		return nil
	}
	w.close()
	close(w.gone)
	return nil
}

func (w *webSocket) close() {
	w.mu.Lock()
	w.closing = true
	if !w.timer.Reset(goodbyeTimeout) {
		w.tasks.Add(1)
	}
	w.mu.Unlock()
	_ = w.ws.Close(websocket.StatusNormalClosure, "") // a courtesy
	if w.timer.Stop() {
		w.tasks.Done()
	}
	w.tasks.Wait()
}

// lostError says why a WebSocket was lost. It matches the [netcode.StateError] that a connection over UDP would have
// had.
type lostError struct {
	state netcode.State
	cause error
}

func (e *lostError) Error() string   { return "WebSocket lost: " + e.cause.Error() }
func (e *lostError) Unwrap() []error { return []error{netcode.StateError{State: e.state}, e.cause} }

var errSilence = fmt.Errorf("nothing came from the server for %v", silenceTimeout)

// lost returns why reading has failed.
func (w *webSocket) lost(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent {
		return &lostError{netcode.StateTimedOut, errSilence}
	}
	return &lostError{netcode.StateDisconnected, closed(err)}
}

// closed returns what the code means that the server has closed a WebSocket with, if err is about that.
func closed(err error) error {
	end, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		return err
	}
	switch end.Code {
	case 4401, 4410: // never heard of, or over
		return &endedError{&rushgate.Refusal{Reason: rushgate.BadCredentials}}
	case 4409:
		return ErrReplaced
	case 4421:
		refusal := &rushgate.Refusal{Reason: rushgate.WrongZone}
		if validAddress(end.Reason) {
			refusal.Address = end.Reason
		}
		return refusal
	case 4429:
		after, _ := retryIn(end.Reason)
		return &rushgate.Refusal{Reason: rushgate.RateLimited, RetryAfter: after}
	}
	if after, ok := retryIn(end.Reason); ok || end.Code == 4503 { // whatever the code
		return &rushgate.Refusal{Reason: rushgate.ServerBusy, RetryAfter: after}
	}
	return fmt.Errorf("the server closed it with code %d", end.Code)
}

// retryIn returns when to come back, as a close reason says: "retry in N ms".
func retryIn(reason string) (after time.Duration, ok bool) {
	var ms int64
	if _, err := fmt.Sscanf(reason, "retry in %d ms", &ms); err != nil {
		return 0, false
	}
	return time.Duration(min(max(ms, 0), maxRetryAfter.Milliseconds())) * time.Millisecond, true
}
