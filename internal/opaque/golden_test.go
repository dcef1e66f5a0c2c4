package opaque

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// golden is what the first version of this package read and wrote, with chance of seed 3 at the time of newClock: of
// clients, the upload and KE3 by package opaqueclient, the record by @serenity-kit/opaque 1.1.0.
type golden struct {
	Keys, Record, Password    string
	Request, Response, Upload hexBytes
	KE1, KE2, KE3             hexBytes
	State                     hexBytes
	RegisterState             hexBytes `json:"register_state"`
	SessionKey                hexBytes `json:"session_key"`
	UnknownKE2                hexBytes `json:"unknown_ke2"`
}

func readGolden(t testing.TB) *golden {
	t.Helper()
	g := new(golden)
	b, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(b, g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// server returns a server with the keys of then and the chance of then.
func (g *golden) server(t testing.TB) *Server {
	t.Helper()
	keys, err := ParseKeys([]byte(g.Keys))
	if err != nil {
		t.Fatal(err)
	}
	return newTestServer(t, func(cfg *Config) { cfg.Keys, cfg.Random = keys, chanceOf(3) })
}

// Files of keys, records, states and messages of the first version are read, and are written no other way.
func TestGolden(t *testing.T) {
	g := readGolden(t)
	if s := g.server(t); string(s.Keys().Marshal()) != g.Keys || len(s.Keys().IDs()) != 2 {
		t.Error("the keys are written in another way")
	}
	response, state, err := g.server(t).RegisterStart("alice", g.Request)
	if err != nil || !bytes.Equal(response, g.Response) || !bytes.Equal(state, g.RegisterState) {
		t.Errorf("a registration begins in another way, %v", err)
	}
	name, uploaded, err := g.server(t).RegisterFinish(g.RegisterState, g.Upload)
	if err != nil || name != "alice" || !bytes.Equal(uploaded.upload[:], g.Upload) {
		t.Errorf("a registration ends in another way: %q, %v", name, err)
	}
	record, err := ParseRecord(g.Record)
	if err != nil || record.Marshal() != g.Record || record.Key() != uploaded.Key() {
		t.Errorf("the record is written in another way, %v", err)
	}
	ke2, state, err := g.server(t).LoginStart("alice", &record, g.KE1, PurposeLogin)
	if err != nil || !bytes.Equal(ke2, g.KE2) || !bytes.Equal(state, g.State) {
		t.Errorf("a login begins in another way, %v", err)
	}
	login, err := g.server(t).LoginOpen(g.State, PurposeLogin)
	if err != nil || login.Name != "alice" || !login.Expires.Equal(newClock().now.Add(time.Minute)) {
		t.Fatalf("a state is read in another way, %v", err)
	}
	if key, err := g.server(t).LoginFinish(login, &record, g.KE3); err != nil || !bytes.Equal(key[:], g.SessionKey) {
		t.Errorf("a login ends in another way, %v", err)
	}
	ke2, _, err = g.server(t).LoginStart("erika", nil, g.KE1, PurposeLogin)
	if err != nil || !bytes.Equal(ke2, g.UnknownKE2) {
		t.Errorf("a name without an account is answered in another way, %v", err)
	}
}
