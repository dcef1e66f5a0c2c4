package importer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

// register makes an account as the front door does for a client that has chosen this attempt_id.
func register(t *testing.T, store rushgate.Store, name, hash, attempt string) {
	t.Helper()
	id, err := store.ReserveIDs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	a := rushgate.Account{ID: id, Username: name, PasswordHash: hash, Attempt: attempt, CreatedAt: time.Now()}
	by := rushgate.Instance{Node: "node", Run: "run"}
	in, err := store.Admit(t.Context(), by, []rushgate.Admission{{Account: a, Create: true, Attempt: attempt}})
	if err != nil || in[0].Err != nil {
		t.Fatal(err, in)
	}
}

// A player who registers a name before the import has it, and no attempt_id makes that look like an earlier import.
func TestNobodyPassesForImported(t *testing.T) {
	const other = "00000000000000000000000000000000$0000000000000000000000000000000000000000000000000000000000000000"
	for _, attempt := range []string{"rushgate-import", importPrefix, importMark(account{name: "bob", hash: other})} {
		store := newMemory(t)
		register(t, store, "bob", other, attempt)
		for _, dry := range []bool{true, false} {
			r := mustImport(t, writeFile(t, accountRecord("bob", 0)), store, Options{DryRun: dry})
			if got := refused(r); !slices.Equal(got, []string{"account:bob name-taken"}) || r.Present != 0 {
				t.Errorf("attempt %q, dry run %v: %+v", attempt, dry, r)
			}
		}
	}
}

// The mark of an import is none that a client could send, and every store takes it.
func TestImportMark(t *testing.T) {
	ann := account{name: "ann", hash: sampleHash}
	mark := importMark(ann)
	if len(mark) > rushgate.MaxAttemptLen || !strings.HasPrefix(mark, importPrefix) {
		t.Errorf("%q has %d bytes", mark, len(mark))
	}
	const ofClients = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // see the OpenAPI document
	if strings.Trim(mark, ofClients) == "" {
		t.Errorf("a client could send %q", mark)
	}
	if mark == importMark(account{name: "bob", hash: sampleHash}) || mark == importMark(account{name: "ann", hash: "x"}) {
		t.Error("records have the same mark")
	}
}

// An account without a character is known again when a login has replaced its hash, and not when the record is another.
func TestImportKnowsAccountsAfterTheirLogin(t *testing.T) {
	store := newSQLite(t)
	rec := accountRecord("bob", 0)
	mustImport(t, writeFile(t, rec), store, Options{})
	if _, err := newDoor(t, store).login(t, "bob", "correct horse"); err != nil {
		t.Fatal(err)
	}
	if a, _ := load(t, store, "bob"); a.PasswordHash == sampleHash {
		t.Fatal("the login did not replace the hash")
	}
	if r := mustImport(t, writeFile(t, rec), store, Options{}); r.Present != 1 || r.Refused != 0 {
		t.Errorf("after the login: %+v", r)
	}
	rec.Value = replace(t, rec.Value, sampleHash[:4], "0000")
	r := mustImport(t, writeFile(t, rec), store, Options{})
	if got := refused(r); !slices.Equal(got, []string{"account:bob name-taken"}) || r.Present != 0 {
		t.Errorf("with another hash: %+v", r)
	}
}
