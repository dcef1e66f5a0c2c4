package realm

import (
	"errors"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/packed"
	"github.com/rushgate/rushgate/internal/reliable"
)

// maxSavedEnd is how many bytes the state of a [reliable.End] takes at most: what waits, and less than 1 KiB besides.
const maxSavedEnd = reliable.MaxWaitingBytes + 2*reliable.MaxWaiting + 1<<10

var errSilentWord = errors.New("it has a message without a word")

// savedTalk is what is kept of a talk: what is reliable.
type savedTalk struct {
	end   []byte   // a [reliable.End]
	heard [][]byte // acknowledged, perhaps, and not heard by the world yet
}

// save returns what is kept of a talk, which may go on: over connections that are not moved something may still come.
// It is not acknowledged before it is known whether this realm goes on, so that it comes again where that is another
// one.
func (t *talk) save() savedTalk {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := savedTalk{end: packed.Append(nil, t.end.Describe)}
	for _, m := range t.heard {
		if m.reliable {
			v.heard = append(v.heard, m.data)
		}
	}
	return v
}

func (v *savedTalk) describe(c *packed.Codec) {
	c.Bytes(&v.end, maxSavedEnd)
	packed.Slice(c, &v.heard, talkBurst, 2, func(data *[]byte) {
		if c.Bytes(data, rushgate.MaxMessage); len(*data) == 0 {
			c.Fail(errSilentWord)
		}
	})
}

// restoreTalk has a session go on with what was said. How much the player may say begins anew.
func (r *Realm) restoreTalk(s *session, v *savedTalk) error {
	end := new(reliable.End)
	if err := packed.Parse(v.end, end.Describe); err != nil {
		return err
	}
	t := r.talkOf(s)
	t.end = end
	t.busy.Store(!end.Idle())
	for _, data := range v.heard {
		t.heard = append(t.heard, said{data, true})
	}
	if t.queued = len(t.heard) > 0; t.queued {
		r.talkers.put(s)
	}
	return nil
}
