package memnet_test

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate/internal/memnet"
)

func TestReadBatchDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, listener, conn := pair(t, memnet.Options{})
		ms := []message{{Buf: make([]byte, 8)}}
		start := time.Now()
		n, err := listener.ReadBatch(ms, start.Add(70*time.Millisecond))
		if took := time.Since(start); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took != 70*time.Millisecond {
			t.Errorf("ReadBatch = %d, %v after %v", n, err, took)
		}
		conn.Write([]byte{1})
		past := start.Add(-time.Hour)
		if n, err := listener.ReadBatch(ms, past); n != 1 || err != nil {
			t.Errorf("with a datagram waiting and a deadline in the past: ReadBatch = %d, %v", n, err)
		}
		if n, err := listener.ReadBatch(ms, past); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("with a deadline in the past: ReadBatch = %d, %v", n, err)
		}
	})
}

func TestConnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, listener, conn := pair(t, memnet.Options{})
		start := time.Now()
		conn.SetReadDeadline(start.Add(time.Second))
		// Moving a deadline reaches a Read that is already waiting.
		time.AfterFunc(100*time.Millisecond, func() { conn.SetReadDeadline(start.Add(200 * time.Millisecond)) })
		_, err := conn.Read(make([]byte, 8))
		took := time.Since(start)
		if !errors.Is(err, os.ErrDeadlineExceeded) || took != 200*time.Millisecond {
			t.Errorf("Read failed with %v after %v, want the deadline after 200ms", err, took)
		}
		listener.WriteBatch([]message{{Buf: []byte{1}, N: 1, Addr: clientAddr}})
		if _, err := conn.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read after the deadline: %v", err)
		}
		conn.SetReadDeadline(time.Time{})
		if n, err := conn.Read(make([]byte, 8)); n != 1 || err != nil {
			t.Errorf("Read without deadline = %d, %v", n, err)
		}
	})
}

func TestCloseWakesReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, listener, conn := pair(t, memnet.Options{})
		errs := make(chan error, 2)
		go func() {
			_, err := listener.ReadBatch([]message{{Buf: make([]byte, 8)}}, time.Now().Add(time.Hour))
			errs <- err
		}()
		go func() {
			_, err := conn.Read(make([]byte, 8))
			errs <- err
		}()
		synctest.Wait()
		start := time.Now()
		if err := errors.Join(listener.Close(), conn.Close()); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Errorf("a reader woke with %v, want net.ErrClosed", err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("readers woke %v after Close", took)
		}
		if _, err := conn.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
		if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
	})
}
