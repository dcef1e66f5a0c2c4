package client

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

// workBody is a refusal that asks for work.
func workBody(least int, retryAfter time.Duration) map[string]any {
	return map[string]any{
		"reason": "server-busy", "message": "busy", "retry_after_ms": retryAfter.Milliseconds(), "work_bits": least,
		"work_salt": "0123456789abcdef",
	}
}

// worked returns the answer of a server that gives places for work alone: nil to a try with a good proof or a ticket.
func (s *lineServer) worked(least int) (*http.Response, error) {
	try := s.tries[len(s.tries)-1]
	if try.ticket != "" || isProof(try, least) {
		return nil, nil
	}
	return answerOf(503, workBody(least, time.Second))
}

func isProof(try tryMade, least int) bool {
	nonce, ok := line.ParseNonce(try.work)
	salt, _ := line.ParseSalt("0123456789abcdef")
	h := line.HolderOf([]byte(try.secret))
	sum := sha256.Sum256(slices.Concat(salt[:], h[:], nonce[:]))
	return ok && bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:])) >= least
}

// A client finds the proof that a server asks for, tells the game meanwhile, and waits for its turn as ever: with one
// more try, which does not count as a retry.
func TestAPlaceThatCostsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, 30*time.Second, 5)
		s.login = func(*http.Request) (*http.Response, error) { return s.worked(10) }
		c, told := s.client(Options{MaxRetries: 1})
		begun := time.Now()
		if _, err := c.Login(t.Context(), "alice", alicesKey); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 31*time.Second || took > 33*time.Second {
			t.Errorf("let in after %v, and the turn was 30 s after the second try", took)
		}
		if len(s.tries) != 3 || s.tries[0].work != "" || s.tries[1].work == "" || s.tries[2].work != "" {
			t.Errorf("the tries %+v", s.tries)
		}
		s.forOneWait(leastPoll)
		first := (*told)[0]
		if !first.Working || first.Line != nil || first.Retry != 0 || first.Delay != 0 ||
			first.String() != "Server is busy, asking for a place in line" {
			t.Errorf("told %q first: %+v", first, first)
		}
		for _, w := range (*told)[1:] {
			if w.Working || w.Line == nil {
				t.Errorf("told %+v", w)
			}
		}
	})
}

// A server that is not content with any proof is too busy after as many retries as there may be.
func TestWorkInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, time.Minute, 5)
		s.login = func(*http.Request) (*http.Response, error) { return answerOf(503, workBody(4, 0)) }
		c, _ := s.client(Options{MaxRetries: 2})
		_, err := c.Login(t.Context(), "alice", alicesKey)
		busy, ok := errors.AsType[*BusyError](err)
		if !ok || busy.Last.Work.Bits != 4 || len(s.tries) != 4 {
			t.Errorf("%v after the tries %+v", err, s.tries)
		}
		s.forOneWait(leastPoll)
		seen := map[string]bool{}
		for _, try := range s.tries[1:] {
			if seen[try.work] {
				t.Error("a proof that was refused is sent again")
			}
			seen[try.work] = true
		}
	})
}

// Where a call makes one try, or wants no place, there is no work.
func TestNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startLine(t, time.Minute, 5)
		s.login = func(*http.Request) (*http.Response, error) { return answerOf(503, workBody(line.MaxWorkBits, 0)) }
		for _, opts := range []Options{{MaxRetries: -1}, {MaxRetries: 1, NoLine: true}} {
			c, told := s.client(opts)
			if _, err := c.Login(t.Context(), "alice", alicesKey); !errors.Is(err, rushgate.ServerBusy) {
				t.Error(err)
			}
			for _, w := range *told {
				if w.Working {
					t.Errorf("%+v: told %+v", opts, w)
				}
			}
		}
	})
}

// Work ends with the context of the call, and the error says that the server was busy.
func TestWorkEndsWithTheContext(t *testing.T) {
	s := &lineServer{t: t, holds: map[string]*lineTicket{}}
	s.login = func(*http.Request) (*http.Response, error) {
		return answerOf(503, workBody(line.MaxWorkBits, time.Minute))
	}
	ctx, cancel := context.WithCancel(t.Context())
	c, err := New(lineURL, Options{Transport: s, OnWait: func(Wait) { cancel() }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Login(ctx, "alice", alicesKey)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, rushgate.ServerBusy) {
		t.Error(err)
	}
}

// Work that no server asks for is none, and the server is just busy.
func TestWorkThatCannotBe(t *testing.T) {
	salt := hex.EncodeToString(make([]byte, 8))
	for body, want := range map[string]int{
		fmt.Sprintf(`{"work_bits":26,"work_salt":%q}`, salt): 26, fmt.Sprintf(`{"work_bits":1,"work_salt":%q}`, salt): 1,
		fmt.Sprintf(`{"work_bits":27,"work_salt":%q}`, salt): 0, fmt.Sprintf(`{"work_bits":0,"work_salt":%q}`, salt): 0,
		fmt.Sprintf(`{"work_bits":-1,"work_salt":%q}`, salt): 0, fmt.Sprintf(`{"work_bits":2.5,"work_salt":%q}`, salt): 0,
		`{"work_bits":20}`: 0, `{"work_bits":20,"work_salt":"0123"}`: 0, `{"work_bits":20,"work_salt":"0123456789abcdeg"}`: 0,
		`[]`: 0, ``: 0, fmt.Sprintf(`{"work_salt":%q}`, salt): 0,
	} {
		if w := workIn([]byte(body)); w.Bits != want {
			t.Errorf("%s: %+v", body, w)
		}
	}
}
