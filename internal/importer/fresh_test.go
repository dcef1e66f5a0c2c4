package importer

import (
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/memory"
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
	for _, attempt := range []string{"rushgate-import", importPrefix, importMark(Account{Name: "bob", Hash: other})} {
		store := memory.New(memory.Options{})
		register(t, store, "bob", other, attempt)
		for _, dry := range []bool{true, false} {
			bob := &list{accounts: []Account{{Version: 2, Name: "bob", Hash: sampleHash}}}
			r, err := Import(t.Context(), bob, store, Options{DryRun: dry})
			if err != nil || r.Present != 0 || r.Imported != 0 || r.RefusedBy[NameTaken] != 1 {
				t.Errorf("attempt %q, dry run %v: %+v, %v", attempt, dry, r, err)
			}
		}
	}
}

// The mark of an import is none that a client could send, and every store takes it.
func TestImportMark(t *testing.T) {
	ann := Account{Name: "ann", Hash: sampleHash}
	mark := importMark(ann)
	if len(mark) > rushgate.MaxAttemptLen || !strings.HasPrefix(mark, importPrefix) {
		t.Errorf("%q has %d bytes", mark, len(mark))
	}
	const ofClients = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // see the OpenAPI document
	if strings.Trim(mark, ofClients) == "" {
		t.Errorf("a client could send %q", mark)
	}
	if mark == importMark(Account{Name: "bob", Hash: sampleHash}) || mark == importMark(Account{Name: "ann", Hash: "x"}) {
		t.Error("records have the same mark")
	}
}
