package records

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/importer/source"
	"github.com/rushgate/rushgate/store/memory"
)

// vector returns the one of a system.
func vector(t *testing.T, system string) scheme.Vector {
	t.Helper()
	for _, f := range scheme.Builtin().Families() {
		for _, v := range f.Vectors {
			if v.System == system {
				return v
			}
		}
	}
	t.Fatalf("no vector of %s", system)
	panic("")
}

// file writes what a template makes of a vector: {{s "password"}} is a value as it is stored, {{q "password"}} one for
// JSON, {{b "salt"}} bytes for MySQL, and {{.Username}} the name.
func file(t *testing.T, v *scheme.Vector, text string) string {
	t.Helper()
	value := func(name string) string {
		s, _ := v.Stored[name].(string)
		return s
	}
	escape := strings.NewReplacer("\\", `\\`, "'", `\'`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`)
	tmpl, err := template.New("").Funcs(template.FuncMap{
		"s": value,
		"q": func(name string) (string, error) {
			b, err := json.Marshal(value(name))
			return string(b), err
		},
		"b": func(name string) (string, error) {
			b, err := hex.DecodeString(value(name))
			return escape.Replace(string(b)), err
		},
		"pg": func(name string) string { return `\\x` + hex.EncodeToString([]byte(value(name))) },
	}).Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openTable(t *testing.T, path string, opts source.Options) *Table {
	t.Helper()
	system, err := source.Builtin().Find(opts.System)
	if err != nil {
		t.Fatal(err)
	}
	players, err := system.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatalf("%s: %v", opts.System, err)
	}
	s := FromTable(players, scheme.Builtin())
	t.Cleanup(func() { s.Close() })
	return s
}

// export is a file as a system writes it, with a player of a vector and others who are no players or banned.
type export struct{ system, table, vector, want, text string }

// exports are those of testdata: what they are is in their first lines, and after a blank one what the system writes,
// which is a template, see [file].
func exports(t *testing.T) (all []export) {
	t.Helper()
	paths, err := filepath.Glob("testdata/exports/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no exports", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, text, _ := strings.Cut(string(b), "\n\n")
		e := export{text: text}
		for line := range strings.Lines(head) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			*map[string]*string{
				"system": &e.system, "table": &e.table, "vector": &e.vector, "want": &e.want,
			}[key] = strings.TrimSpace(value)
		}
		all = append(all, e)
	}
	return all
}

// vectorOf returns the record that goes into an export.
func (e *export) vectorOf(t *testing.T) scheme.Vector {
	t.Helper()
	if e.vector == "" {
		return scheme.Vector{Password: "pw", Record: scheme.Record{Username: "anna"}}
	}
	return vector(t, e.vector)
}

// Players of an export of each system have their passwords here, and their bans, and who is no player is not here.
func TestExports(t *testing.T) {
	for _, e := range exports(t) {
		v := e.vectorOf(t)
		opts := source.Options{System: e.system, Table: e.table}
		if e.system == "firebase" {
			opts.With = map[string]any{}
			for _, name := range []string{"memCost", "rounds", "saltSeparator", "signerKey"} {
				opts.With[name] = v.Stored[name]
			}
		}
		e.bring(t, openTable(t, file(t, &v, e.text), opts), &v)
	}
}

// bring brings the players of an export in, and checks that they are those.
func (e *export) bring(t *testing.T, s *Table, v *scheme.Vector) {
	t.Helper()
	store := memory.New(memory.Options{})
	r, err := importer.Import(t.Context(), s, store, importer.Options{BatchSize: 2, Harden: Harden(hasher(t, 1000))})
	got := fmt.Sprintf("%d imported, %d banned, %d locked, %d others, refused", r.Imported, r.Banned, r.Locked, r.Ignored)
	for _, refused := range r.Refusals {
		got += " " + refused.Key
	}
	if err != nil || got != e.want {
		t.Errorf("%s: %s, want %s; %v, %v", e.system, got, e.want, r.Refusals, err)
		return
	}
	name, err := rushgate.LoginName(strings.ToLower(v.Username))
	if err != nil {
		t.Fatal(err)
	}
	hash := hashOfName(t, store, name)
	if slow := strings.HasPrefix(hash, "$2b$"); slow { // it is kept as it was
		for _, stored := range v.Stored {
			if !strings.HasSuffix(stored.(string), hash[len("$2b$"):]) {
				t.Errorf("%s: %s is stored for %v", e.system, hash, stored)
			}
		}
	} else if !verify(t, hash, v.Password).Match || verify(t, hash, "x"+v.Password).Match {
		t.Errorf("%s: %s does not take the password alone", e.system, hash)
	}
}

// A ban has the end that it had.
func TestBansHaveAnEnd(t *testing.T) {
	v := vector(t, "supabase auth.users")
	store := memory.New(memory.Options{})
	var text string
	for _, e := range exports(t) {
		if e.system == "supabase" {
			text = e.text
		}
	}
	if _, err := importer.Import(t.Context(), openTable(t, file(t, &v, text), source.Options{System: "supabase"}), store,
		importer.Options{Harden: Harden(hasher(t, 1000))}); err != nil {
		t.Fatal(err)
	}
	loaded, err := store.LoadAccounts(t.Context(), []string{"out@example.test", "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC); !loaded[0].Disabled.Until.Equal(want) {
		t.Errorf("banned until %v, want %v", loaded[0].Disabled.Until, want)
	}
	if loaded[1].Disabled != (rushgate.Disabled{}) {
		t.Errorf("bob is banned: %v", loaded[1].Disabled)
	}
}
