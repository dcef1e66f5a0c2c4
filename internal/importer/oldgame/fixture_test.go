package oldgame

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/store/memory"
)

const recordsFile = "testdata/redis-records.jsonl"

// record is a line of a file. The password is only in the sample.
type record struct {
	Key      string `json:"key"`
	Value    string `json:"value"`
	Password string `json:"password,omitempty"`
}

// fileRecords returns the records of the sample that the old game has left.
func fileRecords(t testing.TB) []record {
	t.Helper()
	b, err := os.ReadFile(recordsFile)
	if err != nil {
		t.Fatal(err)
	}
	var records []record
	for line := range bytes.Lines(b) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

// writeFile makes a file of records and opens it.
func writeFile(t testing.TB, records ...record) *Source {
	t.Helper()
	var b bytes.Buffer
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return openText(t, b.String())
}

// openText opens a file with this text.
func openText(t testing.TB, text string) *Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

func open(t testing.TB, path string) *Source {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

const (
	sampleHash   = "4a081853764efe896c4cb4ef15efddf3$3473dcde90f47b52470585eeada5829023539f7c0d3d02da6725419f6a1b9fb7"
	samplePlayer = `(:VERSION 4 :ID 12 :X 112.5 :Y 276.25 :HP 36 :LIFETIME-XP 444 :PLAYTIME 666.0
 :CREATED-AT 3978000012 :DEATHS 2 :STATS
 (:ATTACK (:LEVEL 7 :XP 4300) :STRENGTH (:LEVEL 5 :XP 2100) :DEFENSE
  (:LEVEL 4 :XP 1500) :HITPOINTS (:LEVEL 12 :XP 9800))
 :INVENTORY
 (:SLOTS ((:ITEM-ID :RUSTY-PIPE :COUNT 1) (:ITEM-ID :COIN :COUNT 250)))
 :EQUIPMENT (:ITEMS (NIL NIL NIL :RUSTY-PIPE NIL NIL)) :ZONE-ID :ZONE-1)`
)

// accountRecord is an account with a character, or with none if id is 0.
func accountRecord(name string, id int) record {
	character := "NIL"
	if id != 0 {
		character = fmt.Sprint(id)
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)
	return record{
		Key: "account:" + name,
		Value: fmt.Sprintf("(:VERSION 2 :USERNAME \"%s\" :PASSWORD-HASH\n \"%s\"\n :CHARACTER-ID %s)", quoted, sampleHash,
			character),
	}
}

func playerRecord(id int) record {
	return record{
		Key:   fmt.Sprintf("player:%d", id),
		Value: strings.Replace(samplePlayer, ":ID 12", fmt.Sprintf(":ID %d", id), 1),
	}
}

// pair is an account and its character.
func pair(name string, id int) []record { return []record{accountRecord(name, id), playerRecord(id)} }

func newMemory(t testing.TB) rushgate.Store {
	t.Helper()
	s := memory.New(memory.Options{})
	t.Cleanup(func() { s.Close() })
	return s
}

// mustImport imports and requires that the import went to its end.
func mustImport(t testing.TB, src *Source, store rushgate.Store, opts importer.Options) importer.Report {
	t.Helper()
	r, err := importer.Import(t.Context(), src, store, opts)
	if err != nil {
		t.Fatal(err)
	}
	accounts := 0
	for _, refusal := range r.Refusals {
		if strings.HasPrefix(refusal.Key, keyAccounts) {
			accounts++
		}
	}
	if r.Refused <= importer.MaxRefusals && r.Accounts != r.Imported+r.Present+accounts {
		t.Errorf("of %d accounts %d were imported, %d present and %d refused", r.Accounts, r.Imported, r.Present, accounts)
	}
	return r
}

// refused returns what was refused as "key cause".
func refused(r importer.Report) []string {
	var list []string
	for _, refusal := range r.Refusals {
		list = append(list, refusal.Key+" "+string(refusal.Cause))
	}
	slices.Sort(list)
	return list
}

func load(t testing.TB, store rushgate.Store, name string) (rushgate.Account, rushgate.Character) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	accounts, err := store.LoadAccounts(ctx, []string{name})
	if err != nil {
		t.Fatal(err)
	}
	characters, err := store.LoadCharacters(ctx, []string{name})
	if err != nil {
		t.Fatal(err)
	}
	return accounts[0].Account, characters[0].Character
}
