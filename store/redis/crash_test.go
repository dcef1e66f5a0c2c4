package redis

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// crashBatch is how many players register at once in a crash test.
const crashBatch = 4

// The server is killed while players register on two nodes. Afterwards each player who was let in is there whole, and
// of the others each is there whole or not at all.
func TestServerKilledDuringRegistrations(t *testing.T) {
	server := redistest.Start(t)
	open := func() *Store { return openStore(t, Options{URLs: []string{server.URL()}, Logger: quiet()}) }
	first := rushgate.PlayerID(1)
	for round := range 5 {
		a, b := &registrar{s: open()}, &registrar{s: open()}
		a.enough, b.enough = make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		for i, r := range []*registrar{a, b} {
			wg.Go(func() { r.registerUntilItFails(t, first+rushgate.PlayerID(i)*1e6, 1+round*7) })
		}
		<-a.enough
		<-b.enough
		server.Kill()
		wg.Wait()
		server.Restart()
		s := open()
		wantWhole(t, s, append(a.acknowledged, b.acknowledged...))
		wantNoneHalfMade(t, s, server)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		first += 1e5
	}
}

type registrar struct {
	s            *Store
	enough       chan struct{} // closed when so many batches were acknowledged
	acknowledged []rushgate.Account
}

func (r *registrar) registerUntilItFails(t *testing.T, id rushgate.PlayerID, enough int) {
	for batches := 0; ; batches++ {
		if batches == enough {
			close(r.enough)
		}
		var batch []rushgate.Admission
		for range crashBatch {
			batch = append(batch, registration(id))
			id++
		}
		admitted, err := r.s.Admit(t.Context(), nodeA, batch)
		if err != nil {
			if batches < enough {
				t.Errorf("batch %d: %v", batches, err)
				close(r.enough)
			}
			return
		}
		for i := range admitted {
			if admitted[i].Err != nil {
				t.Errorf("registration: %v", admitted[i].Err)
			}
			r.acknowledged = append(r.acknowledged, batch[i].Account)
		}
	}
}

func wantWhole(t *testing.T, s *Store, accounts []rushgate.Account) {
	t.Helper()
	names := make([]string, len(accounts))
	for i := range accounts {
		names[i] = accounts[i].Username
	}
	loaded, err := s.LoadAccounts(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	characters, err := s.LoadCharacters(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range accounts {
		if got := loaded[i]; got.Err != nil || !reflect.DeepEqual(got.Account, want) {
			t.Errorf("account is %+v, want %+v", loaded[i], want)
		}
		if c := characters[i]; c.ID != want.ID || c.Name != want.Username || len(c.Numbers) != 0 ||
			c.CreatedAt != want.CreatedAt {
			t.Errorf("character of %+v is %+v", want, c)
		}
	}
}

// wantNoneHalfMade checks every record on the server, also those that no client has been told of.
func wantNoneHalfMade(t *testing.T, s *Store, server *redistest.Server) {
	t.Helper()
	prefix := s.playerKey("")
	keys, err := server.Do("KEYS", prefix+"*").AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	var accounts []rushgate.Account
	for _, key := range keys {
		var id rushgate.PlayerID
		for _, digit := range strings.TrimPrefix(key, prefix+"player") {
			id = 10*id + rushgate.PlayerID(digit-'0')
		}
		accounts = append(accounts, registration(id).Account)
	}
	wantWhole(t, s, accounts)
	record, err := newRecord(&rushgate.Account{}, &rushgate.Character{})
	if err != nil {
		t.Fatal(err)
	}
	fields := len(record) / 2
	const lease = 6 // the fields that a claim adds
	commands := make([]command, len(keys))
	for i, key := range keys {
		commands[i] = command{name: "HLEN", key: key}
	}
	results, err := s.run(t.Context(), commands)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results {
		if n, err := results[i].AsInt64(); err != nil || n != int64(fields+lease) {
			t.Errorf("%s has %d fields, %v; want %d", keys[i], n, err, fields+lease)
		}
	}
}
