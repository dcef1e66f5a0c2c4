package table_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/importer/servertest"
	"github.com/rushgate/rushgate/internal/importer/table"
)

// A connection cannot write, even if its user may do everything. With RUSHGATE_LONG=1.
func TestServersAreOnlyRead(t *testing.T) {
	if os.Getenv("RUSHGATE_LONG") == "" {
		t.Skip("it takes servers")
	}
	for _, s := range servertest.All(t) {
		s.Run("", "CREATE DATABASE other")
		s.Run("other", "CREATE TABLE t (id int PRIMARY KEY, name varchar(9)); INSERT INTO t VALUES (1, 'ann');")
		a, err := table.ParseAddress(s.AtSocket(s.Admin, "other"))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"INSERT INTO t VALUES (2, 'bob')", "DELETE FROM t", "CREATE TABLE u (id int)", "DROP TABLE t",
		} {
			server, err := table.Connect(t.Context(), a, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Ask(t.Context(), text); err == nil || !strings.Contains(strings.ToLower(err.Error()), "read") {
				t.Errorf("%s: %s: %v", a, text, err)
			}
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
