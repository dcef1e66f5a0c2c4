package storetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var characterCases = []testCase{
	{"MissingAreZero", missingCharacters},
	{"LoadedAsSaved", charactersAsSaved},
	{"LoadKeepsTheOrder", charactersInOrder},
	{"DataIsCopied", characterDataIsCopied},
}

func missingCharacters(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	for _, c := range characters(t, s, "nobody", "", "Alice", "alice ", "alice\x00", "al\xffice", `"alice"`) {
		wantCharacter(t, c, rushgate.Character{})
	}
	characters(t, s)
}

// What was saved is there for others at once, whether or not its player is inside.
func charactersAsSaved(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "a")
	in := admit(t, s, nodeA, a)
	wantCharacter(t, characters(t, s, "alice")[0], created(a.Account))
	in.Character = rushgate.Character{
		ID: 1, Name: "alice", Zone: "forest/é\x00", X: math.NaN(), Y: math.Inf(-1),
		Numbers: rushgate.Numbers{
			"hp": -7, "xp": math.MaxInt64, "level": 99, "deaths": 3,
			"gold": math.MinInt64, "silver_2": 1 << 60,
		},
		Playtime: 36*time.Hour + time.Millisecond, CreatedAt: in.Character.CreatedAt, Data: []byte("\x00\xff"),
	}
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	wantCharacter(t, characters(t, s, "alice")[0], in.Character)
	in.Character.X, in.Character.Data = 1, nil
	release(t, s, in)
	wantCharacter(t, characters(t, s, "alice")[0], in.Character)
	wantInside(t, s, 0) // loading claims nothing
	if h.Reopen != nil {
		s = h.reopen(t, s)
		wantCharacter(t, characters(t, s, "alice")[0], in.Character)
	}
}

func charactersInOrder(t *testing.T, h Harness) {
	s := h.open(t)
	const n = 40
	var batch []rushgate.Admission
	for id := range rushgate.PlayerID(n) {
		batch = append(batch, registration(id+1, fmt.Sprintf("player%02d", id+1), "a"))
	}
	admitAll(t, s, nodeA, batch...)
	ids := []rushgate.PlayerID{31, 99, 2, 2, 40, 0, 1}
	var names []string
	for _, id := range ids {
		names = append(names, fmt.Sprintf("player%02d", id))
	}
	for i, got := range characters(t, s, names...) {
		var want rushgate.Character
		if id := ids[i]; 1 <= id && id <= n {
			want = created(batch[id-1].Account)
		}
		wantCharacter(t, got, want)
	}
}

func characterDataIsCopied(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	in.Character.Data = []byte("as saved")
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := characters(t, s, "alice", "alice")
		copy(got[0].Data, "SCRIBBLE")
		if string(got[1].Data) != "as saved" {
			t.Fatalf("data is %q", got[1].Data)
		}
	}
}
