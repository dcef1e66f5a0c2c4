package flood

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// maxShaking bounds the knocks over TLS that are under way: each has a goroutine and the buffers of crypto/tls. A
// generator that is slower than its knocks are due has so many at its worst.
const maxShaking = 8192

// knockTLS makes knocks over TLS until the flood is over or ctx has ended.
func (f *Flood) knockTLS(ctx context.Context) {
	var clients sync.WaitGroup
	defer clients.Wait()
	slots := make(chan struct{}, min(f.cfg.MaxOpen, maxShaking))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; f.cfg.due(n) < f.cfg.Length; n++ {
		due := f.begin.Add(f.cfg.due(n))
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(due) >= f.hopeless {
			f.end(time.Now(), Counts{Unmade: 1})
			continue
		}
		select {
		case slots <- struct{}{}:
			clients.Go(func() {
				defer func() { <-slots }()
				f.visit(ctx, n, due)
			})
		default:
			f.end(time.Now(), Counts{Unmade: 1, Full: 1})
		}
	}
}

// visit is one knock over TLS.
func (f *Flood) visit(ctx context.Context, n int, due time.Time) {
	limited, cancel := context.WithDeadline(ctx, due.Add(f.cfg.Patience))
	defer cancel()
	now, from := time.Now(), f.cfg.source(n)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from[:]}, Control: portLater, KeepAlive: -1}
	conn, err := d.DialContext(limited, "tcp4", f.cfg.Target.String())
	if isShortage(err) {
		f.end(now, Counts{Unmade: 1, Full: 1})
		return
	}
	f.made(due, now)
	if err == nil {
		defer func() { _ = conn.Close() }() // the client has what it came for, or will never have it
		var status int
		var reason []byte
		if status, reason, err = f.ask(limited, conn, n); err == nil {
			f.answered(due, time.Now(), status, reason)
			return
		}
	}
	switch {
	case ctx.Err() != nil:
		f.end(time.Now(), Counts{Open: 1})
	case limited.Err() != nil:
		f.end(time.Now(), Counts{Silent: 1})
	default:
		f.end(time.Now(), Counts{Gone: 1})
	}
}

// ask sends the request of the n-th client and reads the answer, until ctx ends.
func (f *Flood) ask(ctx context.Context, plain net.Conn, n int) (status int, reason []byte, err error) {
	conn := tls.Client(plain, f.cfg.TLS)
	stop := context.AfterFunc(ctx, func() { _ = plain.SetDeadline(time.Unix(1, 0)) }) // wakes what blocks
	defer stop()
	if err := conn.HandshakeContext(ctx); err != nil {
		return 0, nil, err
	}
	if _, err := conn.Write(f.cfg.Request(nil, n)); err != nil {
		return 0, nil, err
	}
	b := make([]byte, 0, maxAnswer)
	for {
		got, err := conn.Read(b[len(b):cap(b)])
		b = b[:len(b)+got]
		if status, reason, done := parseAnswer(b, err != nil || len(b) == cap(b)); done {
			return status, reason, nil
		}
		if err == nil && len(b) == cap(b) {
			err = net.ErrClosed // an answer that never begins
		}
		if err != nil {
			return 0, nil, err
		}
	}
}
