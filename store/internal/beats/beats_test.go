package beats_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/beats"
)

func beat(node string) rushgate.NodeBeat {
	return rushgate.NodeBeat{Instance: rushgate.Instance{Node: node, Run: "1"}}
}

func TestSilenceIsNeverNegative(t *testing.T) {
	var l beats.List
	now := time.Unix(1000, 0)
	l.Add(beat("a"), now)
	got := l.Add(beat("b"), now.Add(-time.Hour))
	want := []rushgate.NodeStatus{{Instance: beat("a").Instance}, {Instance: beat("b").Instance}}
	if !slices.Equal(got, want) {
		t.Errorf("after time went back the nodes are %+v, want %+v", got, want)
	}
}

// However many nodes come, each with a name of its own, those that were last heard of are known.
func TestBounded(t *testing.T) {
	var l beats.List
	now := time.Unix(1000, 0)
	var got []rushgate.NodeStatus
	for i := range 10 * rushgate.MaxNodes {
		got = l.Add(beat(fmt.Sprint(i)), now)
		now = now.Add(time.Second)
		if len(got) != min(i+1, rushgate.MaxNodes) || got[0].Node != fmt.Sprint(i) {
			t.Fatalf("after %d beats %d nodes are known, the first is %+v", i+1, len(got), got[0])
		}
	}
	now = now.Add(beats.Forgotten)
	if got = l.Add(beat("last"), now); len(got) != 1 {
		t.Errorf("a day later %d nodes are known", len(got))
	}
}
