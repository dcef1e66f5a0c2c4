package redis

import (
	"fmt"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// A batch of logins as the auth workers make it, on a server that writes to disk before it answers.
func BenchmarkLoadAndAdmit16(b *testing.B) {
	server := redistest.Start(b)
	s := openStore(b, Options{URLs: []string{server.URL()}})
	var batch []rushgate.Admission
	var names []string
	for id := range rushgate.PlayerID(16) {
		batch = append(batch, registration(id+1))
		names = append(names, batch[id].Account.Username)
	}
	admit(b, s, nodeA, batch...)
	for run := 0; b.Loop(); run++ {
		if _, err := s.LoadAccounts(b.Context(), names); err != nil {
			b.Fatal(err)
		}
		admit(b, s, rushgate.Instance{Node: "a", Run: fmt.Sprint(run)}, batch...)
	}
}

// The periodic save of a full node.
func BenchmarkSave1000(b *testing.B) {
	server := redistest.Start(b)
	s := openStore(b, Options{URLs: []string{server.URL()}})
	var batch []rushgate.Admission
	for id := range rushgate.PlayerID(1000) {
		batch = append(batch, registration(id+1))
	}
	var saves []rushgate.Save
	for _, in := range admit(b, s, nodeA, batch...) {
		in.Character.Data = make([]byte, 200)
		saves = append(saves, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence})
	}
	for b.Loop() {
		errs, err := s.Save(b.Context(), saves)
		if err != nil || errs[0] != nil {
			b.Fatal(errs, err)
		}
	}
}
