package client

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

// workIn returns the work that a refusal asks for; the zero value if it asks for none, or for more than any server may.
func workIn(body []byte) rushgate.Work {
	var b struct {
		Bits int    `json:"work_bits"`
		Salt string `json:"work_salt"`
	}
	if json.Unmarshal(body, &b) != nil || b.Bits < 1 || b.Bits > line.MaxWorkBits {
		return rushgate.Work{}
	}
	salt, ok := line.ParseSalt(b.Salt)
	if !ok {
		return rushgate.Work{}
	}
	return rushgate.Work{Bits: b.Bits, Salt: salt}
}

// work finds the proof that a refusal asks for, and returns when the next try is due, which sends it. A search that
// takes longer than a salt is surely good for is given up: the next try is then told of the next one, and nothing is
// lost by that, for the hashes that were in vain say nothing about those to come. The error is that of ctx.
func (w *waiting) work(ctx context.Context, r *rushgate.Refusal) error {
	begun := time.Now()
	w.last, w.nonce = r, ""
	if w.client.opts.OnWait != nil {
		w.client.opts.OnWait(Wait{Reason: rushgate.ServerBusy, Line: w.line(), Working: true, kept: true})
	}
	const stretch = 1 << 12 // tries between two looks at ctx and the clock: less than a millisecond
	h, found := line.HolderOf([]byte(w.place.secret)), false
	for next := rand.Uint64(); !found && time.Since(begun) < line.WorkSlice; next += stretch {
		if ctx.Err() != nil {
			return w.ended(ctx.Err())
		}
		var n line.Nonce
		if n, found = line.FindWork(r.Work.Salt, h, r.Work.Bits, next, stretch); found {
			w.nonce = n.String()
		}
	}
	return w.sleep(ctx, max(r.RetryAfter, leastPoll)-time.Since(begun))
}
