package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate"
)

var fleetCases = []testCase{
	{"SwapsWhatIsThere", swaps},
	{"NamesAreApart", sharedApart},
	{"AnyBytes", sharedBytes},
	{"BoundsAreNamed", sharedBounds},
	{"OfSwappersAtOnceOneWins", swapRace},
	{"ManySwappersLoseNothing", swapChain},
	{"DurableAcrossReopen", sharedReopen},
	{"BeatsAreHeard", beatsAreHeard},
	{"SilentNodesAreForgotten", silentNodesAreForgotten},
	{"NodesAreBounded", nodesAreBounded},
	{"BadBeatsAreRefused", badBeats},
}

func shared(t *testing.T, s rushgate.Store, name string) string {
	t.Helper()
	value, err := s.Shared(t.Context(), name)
	if err != nil {
		t.Fatalf("Shared(%q): %v", name, err)
	}
	if value != nil && len(value) == 0 {
		t.Errorf("Shared(%q) is empty and not nil", name)
	}
	return string(value)
}

func swap(t *testing.T, s rushgate.Store, name, oldValue, newValue string) bool {
	t.Helper()
	swapped, err := s.SwapShared(t.Context(), name, []byte(oldValue), []byte(newValue))
	if err != nil {
		t.Fatalf("SwapShared(%q): %v", name, err)
	}
	return swapped
}

func swaps(t *testing.T, h Harness) {
	s := h.open(t)
	for i, step := range []struct {
		oldValue, newValue string
		swapped            bool
		after              string
	}{
		{"a", "b", false, ""},
		{"", "a", true, "a"},
		{"", "a", true, "a"}, // repeated
		{"", "b", false, "a"},
		{"b", "c", false, "a"},
		{"a", "b", true, "b"},
		{"a", "b", true, "b"}, // repeated
		{"a", "c", false, "b"},
		{"b", "b", true, "b"},
		{"b", "B", true, "B"},
		{"b", "c", false, "B"},
		{"B", "a", true, "a"},
	} {
		if got := swap(t, s, "keys", step.oldValue, step.newValue); got != step.swapped {
			t.Errorf("step %d: swapped %v, want %v", i, got, step.swapped)
		}
		if got := shared(t, s, "keys"); got != step.after {
			t.Errorf("step %d: the value is %q, want %q", i, got, step.after)
		}
	}
	if swapped, err := s.SwapShared(t.Context(), "other", nil, []byte("a")); err != nil || !swapped {
		t.Errorf("swap of nil: %v, %v", swapped, err)
	}
}

func sharedApart(t *testing.T, h Harness) {
	s := h.open(t)
	names := []string{"a", "b", "ab", "a-b", "-", "0", strings.Repeat("x", rushgate.MaxSharedNameLen)}
	for _, name := range names {
		if got := shared(t, s, name); got != "" {
			t.Errorf("%q is %q at first", name, got)
		}
		if !swap(t, s, name, "", "of "+name) {
			t.Errorf("%q has a value", name)
		}
	}
	for _, name := range names {
		if got := shared(t, s, name); got != "of "+name {
			t.Errorf("%q is %q", name, got)
		}
	}
	wantAccount(t, load(t, s, "a")[0], rushgate.Account{})
}

// sharedBytes also changes what it has given to the store and got from it, which is its own.
func sharedBytes(t *testing.T, h Harness) {
	s := h.open(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	last := []byte(nil)
	for i, value := range [][]byte{{0}, {0, 0}, []byte("\r\n"), all, bytes.Repeat([]byte{0xff}, rushgate.MaxSharedLen)} {
		mine, oldValue := bytes.Clone(value), bytes.Clone(last)
		if swapped, err := s.SwapShared(t.Context(), "bytes", oldValue, mine); err != nil || !swapped {
			t.Fatalf("value %d: swapped %v, %v", i, swapped, err)
		}
		clear(mine)
		clear(oldValue)
		for range 2 {
			got, err := s.Shared(t.Context(), "bytes")
			if err != nil || !bytes.Equal(got, value) {
				t.Fatalf("value %d came back as %d bytes %x, %v", i, len(got), got, err)
			}
			clear(got)
		}
		last = value
	}
}

func sharedBounds(t *testing.T, h Harness) {
	const secret = "5ecret"
	s := h.open(t)
	swap(t, s, "keys", "", secret)
	long := strings.Repeat(secret, rushgate.MaxSharedLen/len(secret)+1)
	check := func(what string, err error, says string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want one that says %q and no value", what, err, says)
		}
	}
	for name, says := range map[string]string{
		"": "0 bytes", strings.Repeat("x", rushgate.MaxSharedNameLen+1): "65 bytes",
		"Keys": "other characters", "a_b": "other characters", "a b": "other characters", "a:b": "other characters",
		"{a}": "other characters", "é": "other characters", "a\x00": "other characters", "a\n": "other characters",
	} {
		_, err := s.Shared(t.Context(), name)
		check("Shared of "+name, err, says)
		_, err = s.SwapShared(t.Context(), name, nil, []byte(secret))
		check("SwapShared of "+name, err, says)
	}
	for says, swap := range map[string][2][]byte{
		"new value of keys has 0 bytes":                          {[]byte(secret), nil},
		fmt.Sprintf("new value of keys has %d bytes", len(long)): {[]byte(secret), []byte(long)},
		fmt.Sprintf("old value of keys has %d bytes", len(long)): {[]byte(long), []byte("b")},
	} {
		_, err := s.SwapShared(t.Context(), "keys", swap[0], swap[1])
		check("SwapShared", err, says)
	}
	if got := shared(t, s, "keys"); got != secret {
		t.Errorf("the value is %q", got)
	}
}

// swapRace has many make the first value, and then replace it, at once.
func swapRace(t *testing.T, h Harness) {
	const swappers, rounds = 8, 5
	s := h.open(t)
	last := ""
	for round := range rounds {
		var wg sync.WaitGroup
		won := make([]bool, swappers)
		for i := range swappers {
			wg.Go(func() {
				swapped, err := s.SwapShared(t.Context(), "keys", []byte(last), fmt.Appendf(nil, "%d by %d", round, i))
				if err != nil {
					t.Errorf("SwapShared: %v", err)
				}
				won[i] = swapped
			})
		}
		wg.Wait()
		value := shared(t, s, "keys")
		for i := range won {
			if won[i] != (value == fmt.Sprintf("%d by %d", round, i)) {
				t.Errorf("round %d: %d was told %v, and the value is %q", round, i, won[i], value)
			}
		}
		last = value
	}
}

// swapChain has several read a list, add to it and write it back until they succeed.
func swapChain(t *testing.T, h Harness) {
	const swappers, additions = 4, 5
	s := h.open(t)
	var wg sync.WaitGroup
	for i := range swappers {
		wg.Go(func() {
			for n := range additions {
				for swapped := false; !swapped; {
					was, err := s.Shared(t.Context(), "list")
					if err == nil {
						swapped, err = s.SwapShared(t.Context(), "list", was, fmt.Appendf(bytes.Clone(was), "%d.%d ", i, n))
					}
					if err != nil {
						t.Errorf("addition %d of %d: %v", n, i, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	list := shared(t, s, "list")
	for i := range swappers {
		for n := range additions {
			if entry := fmt.Sprintf("%d.%d ", i, n); strings.Count(list, entry) != 1 {
				t.Errorf("%q is not in the list once: %q", entry, list)
			}
		}
	}
}

func sharedReopen(t *testing.T, h Harness) {
	s := h.open(t)
	swap(t, s, "keys", "", "first")
	s = h.reopen(t, s)
	if got := shared(t, s, "keys"); got != "first" {
		t.Errorf("after a restart the value is %q", got)
	}
	if swap(t, s, "keys", "", "another") || !swap(t, s, "keys", "first", "second") {
		t.Error("after a restart the value is swapped wrongly")
	}
	if got := shared(t, h.reopen(t, s), "keys"); got != "second" {
		t.Errorf("after another restart the value is %q", got)
	}
}

func (m *machine) readShared(t *rapid.T) {
	name := pick(t, "name", "x", "y")
	if got, err := m.s.Shared(t.Context(), name); err != nil || string(got) != m.shared[name] {
		t.Fatalf("Shared(%s) = %q, %v; want %q", name, got, err, m.shared[name])
	}
}

func (m *machine) swapShared(t *rapid.T) {
	name, newValue := pick(t, "name", "x", "y"), pick(t, "new value", "1", "2", "3")
	there := m.shared[name]
	oldValue := pick(t, "old value", there, there, "", "1", "2")
	want := there == oldValue || there == newValue
	got, err := m.s.SwapShared(t.Context(), name, []byte(oldValue), []byte(newValue))
	if err != nil || got != want {
		t.Fatalf("SwapShared(%s, %q, %q) = %v, %v; want %v of %q", name, oldValue, newValue, got, err, want, there)
	}
	if want {
		m.shared[name] = newValue
	}
}

func beat(t *testing.T, s rushgate.Store, by rushgate.Instance, address string) []rushgate.NodeStatus {
	t.Helper()
	nodes, err := s.Beat(t.Context(), rushgate.NodeBeat{Instance: by, Address: address})
	if err != nil {
		t.Fatalf("Beat by %v: %v", by, err)
	}
	return nodes
}

func wantNodes(t *testing.T, what string, got []rushgate.NodeStatus, want ...rushgate.NodeStatus) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: the nodes are %+v, want %+v", what, got, want)
	}
}

func beatsAreHeard(t *testing.T, h Harness) {
	s := h.open(t)
	a := rushgate.NodeStatus{Instance: nodeA, Address: "a.example:7777"}
	b := rushgate.NodeStatus{Instance: nodeB}
	wantNodes(t, "alone", beat(t, s, nodeA, a.Address), a)
	h.Advance(time.Second)
	a.Silence = time.Second
	wantNodes(t, "another", beat(t, s, nodeB, ""), b, a)
	h.Advance(4 * time.Second)
	a.Silence, b.Silence = 0, 4*time.Second
	a.Address = "[::1]:7777"
	wantNodes(t, "at another address", beat(t, s, nodeA, a.Address), a, b)
	h.Advance(time.Millisecond)
	b.Silence += time.Millisecond
	a2 := rushgate.NodeStatus{Instance: nodeA2, Address: strings.Repeat("ä", 127)}
	wantNodes(t, "the next run", beat(t, s, nodeA2, a2.Address), a2, b)
	wantNodes(t, "once more", beat(t, s, nodeA2, a2.Address), a2, b)
}

func silentNodesAreForgotten(t *testing.T, h Harness) {
	const day = 24 * time.Hour
	s := h.open(t)
	beat(t, s, nodeA, "")
	h.Advance(day - time.Millisecond)
	a, b := rushgate.NodeStatus{Instance: nodeA, Silence: day - time.Millisecond}, rushgate.NodeStatus{Instance: nodeB}
	wantNodes(t, "a day all but a moment", beat(t, s, nodeB, ""), b, a)
	h.Advance(time.Millisecond)
	b.Silence = time.Millisecond
	c := rushgate.NodeStatus{Instance: rushgate.Instance{Node: "c", Run: "1"}}
	wantNodes(t, "a day", beat(t, s, c.Instance, ""), c, b)
}

// Of more nodes than are remembered those are that were last heard of, however many come and go.
func nodesAreBounded(t *testing.T, h Harness) {
	const n = rushgate.MaxNodes + 10
	s := h.open(t)
	var nodes []rushgate.NodeStatus
	for i := range n {
		by := rushgate.Instance{Node: fmt.Sprintf("node%04d", i), Run: "1"}
		nodes = beat(t, s, by, "")
		h.Advance(time.Millisecond)
	}
	if len(nodes) != rushgate.MaxNodes {
		t.Fatalf("%d nodes are known, want %d", len(nodes), rushgate.MaxNodes)
	}
	for i, status := range nodes {
		want := rushgate.NodeStatus{Silence: time.Duration(i) * time.Millisecond}
		want.Instance = rushgate.Instance{Node: fmt.Sprintf("node%04d", n-1-i), Run: "1"}
		if i > 0 && status != want || i == 0 && status.Node != want.Node {
			t.Fatalf("node %d is %+v, want %+v", i, status, want)
		}
	}
}

func badBeats(t *testing.T, h Harness) {
	s := h.open(t)
	for says, b := range map[string]rushgate.NodeBeat{
		"node id":      {Instance: rushgate.Instance{Run: "1"}},
		"run id":       {Instance: rushgate.Instance{Node: "a"}},
		"id \"\\xff\"": {Instance: rushgate.Instance{Node: "a", Run: "\xff"}},
		"256 bytes":    {Instance: nodeA, Address: strings.Repeat("x", 256)},
		"UTF-8":        {Instance: nodeA, Address: "\xff"},
		"control":      {Instance: nodeA, Address: "a\nb"},
		"a node \"\\":  {Instance: nodeA, Address: "\x00"},
	} {
		if nodes, err := s.Beat(t.Context(), b); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Beat of %+v: %v, %v; want an error that names %s", b, nodes, err, says)
		}
	}
	b := rushgate.NodeStatus{Instance: nodeB, Address: `"quoted" <b>`}
	wantNodes(t, "afterwards", beat(t, s, nodeB, b.Address), b)
}
