package opaqueclient

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/rushgate/rushgate/internal/opaque"
)

func newServer(t testing.TB) *opaque.Server {
	t.Helper()
	keys, err := opaque.NewKeys(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := opaque.NewServer(opaque.Config{Keys: keys, Panicked: func(stack []byte) { t.Errorf("a panic: %s", stack) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cheap is the least that an Argon2id can cost.
var cheap = Options{Cost: Cost{Passes: 1, Memory: 8, Lanes: 1}}

// registers registers alice, and returns the record.
func registers(t testing.TB, o Options, s *opaque.Server, password string) opaque.Record {
	t.Helper()
	r, request, err := Register(password)
	if err != nil {
		t.Fatal(err)
	}
	response, state, err := s.RegisterStart("alice", request)
	if err != nil {
		t.Fatal(err)
	}
	upload, err := r.Finish(t.Context(), response, o)
	if err != nil {
		t.Fatal(err)
	}
	name, record, err := s.RegisterFinish(state, upload)
	if err != nil || name != "alice" {
		t.Fatalf("%q, %v", name, err)
	}
	return record
}

// logsIn logs alice in, and returns the keys of both sides, or why the client gives up.
func logsIn(t testing.TB, o Options, s *opaque.Server, record *opaque.Record, password string) (
	client, node []byte, err error,
) {
	t.Helper()
	l, ke1, err := Login(password)
	if err != nil {
		t.Fatal(err)
	}
	ke2, state, err := s.LoginStart("alice", record, ke1, opaque.PurposeLogin)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := l.Finish(t.Context(), ke2, o)
	if err != nil {
		return nil, nil, err
	}
	opened, err := s.LoginOpen(state, opaque.PurposeLogin)
	if err != nil || opened.Name != "alice" {
		t.Fatal(err)
	}
	key, err := s.LoginFinish(opened, record, proof.KE3)
	if err != nil {
		t.Fatal(err)
	}
	return proof.SessionKey, key[:], nil
}

func TestLogin(t *testing.T) {
	s := newServer(t)
	record := registers(t, cheap, s, "correct horse")
	if client, node, err := logsIn(t, cheap, s, &record, "correct horse"); err != nil || string(client) != string(node) {
		t.Errorf("the keys differ, %v", err)
	}
	if _, _, err := logsIn(t, cheap, s, &record, "correct house"); !errors.Is(err, ErrRefused) {
		t.Errorf("wrong password: %v", err)
	}
	if _, _, err := logsIn(t, cheap, s, nil, "correct horse"); !errors.Is(err, ErrRefused) {
		t.Errorf("no account: %v", err)
	}
}

// A player sees that the password is being stretched, and can give up while others are.
func TestProgressAndCancel(t *testing.T) {
	s := newServer(t)
	start := func() (*Registration, []byte) {
		r, request, err := Register("correct horse")
		if err != nil {
			t.Fatal(err)
		}
		response, _, err := s.RegisterStart("alice", request)
		if err != nil {
			t.Fatal(err)
		}
		return r, response
	}
	slots := NewSlots(1)
	var stages []Stage
	r, response := start()
	tell := func(s Stage) { stages = append(stages, s) }
	if _, err := r.Finish(t.Context(), response, Options{cheap.Cost, slots, tell}); err != nil {
		t.Error(err)
	}
	if !slices.Equal(stages, []Stage{Waiting, Stretching, Finished}) {
		t.Errorf("stages %v", stages)
	}
	if _, err := r.Finish(t.Context(), response, cheap); !errors.Is(err, ErrDone) {
		t.Errorf("finished twice: %v", err)
	}

	slots <- struct{}{} // another one's
	ctx, cancel := context.WithCancel(t.Context())
	r, response = start()
	_, err := r.Finish(ctx, response, Options{cheap.Cost, slots, func(s Stage) {
		if s == Waiting {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("given up while waiting: %v", err)
	}
	<-slots
	ctx, cancel = context.WithCancel(t.Context())
	r, response = start()
	_, err = r.Finish(ctx, response, Options{cheap.Cost, slots, func(s Stage) {
		if s == Stretching {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("given up while stretching: %v", err)
	}
	slots <- struct{}{} // the computation that was given up ends by itself
}

func TestAnswersOfOtherSizes(t *testing.T) {
	for _, password := range []string{"", string(make([]byte, MaxPassword+1))} {
		if _, _, err := Register(password); !errors.Is(err, ErrPassword) {
			t.Errorf("register: %v", err)
		}
		if _, _, err := Login(password); !errors.Is(err, ErrPassword) {
			t.Errorf("login: %v", err)
		}
	}
	for _, size := range []int{0, 1, ResponseSize - 1, ResponseSize, ResponseSize + 1, KE2Size - 1, KE2Size, 1 << 20} {
		r, _, err := Register("correct horse")
		if err != nil {
			t.Fatal(err)
		}
		l, _, err := Login("correct horse")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Finish(t.Context(), make([]byte, size), cheap); !errors.Is(err, ErrMalformed) {
			t.Errorf("response of %d bytes: %v", size, err)
		}
		if _, err := l.Finish(t.Context(), make([]byte, size), cheap); !errors.Is(err, ErrMalformed) {
			t.Errorf("KE2 of %d bytes: %v", size, err)
		}
	}
}

func TestCostsThatThereAreNot(t *testing.T) {
	for _, c := range []Cost{{1, 8, 0}, {0, 8, 1}, {1, 7, 1}, {1, 1 << 20, 256}, {1, maxMemory + 1, 1}, {-1, -1, -1}} {
		l, _, err := Login("correct horse")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Finish(t.Context(), make([]byte, KE2Size), Options{Cost: c}); !errors.Is(err, ErrCost) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
