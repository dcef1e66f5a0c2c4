package oldgame

import (
	"slices"
	"testing"

	"github.com/rushgate/rushgate/internal/importer"
)

// An account without a character is known again when a login has replaced its hash, and not when the record is another.
func TestImportKnowsAccountsAfterTheirLogin(t *testing.T) {
	store := newSQLite(t)
	rec := accountRecord("bob", 0)
	mustImport(t, writeFile(t, rec), store, importer.Options{})
	if _, err := newDoor(t, store).login(t, "bob", "correct horse"); err != nil {
		t.Fatal(err)
	}
	if a, _ := load(t, store, "bob"); a.PasswordHash == sampleHash {
		t.Fatal("the login did not replace the hash")
	}
	if r := mustImport(t, writeFile(t, rec), store, importer.Options{}); r.Present != 1 || r.Refused != 0 {
		t.Errorf("after the login: %+v", r)
	}
	rec.Value = replace(t, rec.Value, sampleHash[:4], "0000")
	r := mustImport(t, writeFile(t, rec), store, importer.Options{})
	if got := refused(r); !slices.Equal(got, []string{"account:bob name-taken"}) || r.Present != 0 {
		t.Errorf("with another hash: %+v", r)
	}
}
