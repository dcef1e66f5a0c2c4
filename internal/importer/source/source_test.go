package source

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/internal/importer/table"
)

// A path leads to what is there, and to nothing otherwise.
func TestPaths(t *testing.T) {
	values := map[string]any{
		"plain": "x", "1.0": "dotted", "null": nil, "number": json.Number("7"), "yes": true,
		"json": `{"a": {"b": ["p", {"type": "q", "v": "found"}]}}`,
		"list": []any{map[string]any{"type": "password", "secret": "s"}, map[string]any{"type": "otp"}},
	}
	for path, want := range map[string]string{
		"plain": "x", "1.0": "dotted", "number": "7", "yes": "true", "json.a.b[0]": "p", "json.a.b[type=q].v": "found",
		"list[type=password].secret": "s", "list[type=none].secret": "", "list[9]": "", "null": "", "none": "", "plain.x": "",
		"json.a.b.c": "", "list[1].secret?": "",
	} {
		if got := textAt(values, path); got != want {
			t.Errorf("%s leads to %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"", "?", ".", "a..b", "[0]", "a[", "a[x]", "a[=y]", "a.", "a[-1]", "a[99999999]"} {
		if _, err := parsePath(path); err == nil {
			t.Errorf("%q is a path", path)
		}
	}
}

// joinOf is a join with something more, in JSON; joining is a layout that has it.
func joinOf(more string) string {
	return strings.Replace(`{"table": "u", "its": "i", "ours": "o", "columns": ["c"], MORE}`, ", MORE",
		strings.Repeat(", "+more, min(len(more), 1)), 1)
}

func joining(more string) string {
	return `{"table": "t", "name": ["a"], "stored": ["b"], "joins": [` + joinOf(more) + `]}`
}

// What a file of systems cannot mean is refused when it is read.
func TestBadSystems(t *testing.T) {
	for _, layouts := range []string{
		``, `{}`, `{"table": "t", "name": ["a"]}`, `{"name": ["a"], "stored": ["b"]}`,
		`{"table": "t", "name": ["a["], "stored": ["b"]}`, `{"in": ["lines"], "name": ["a"], "stored": ["b"]}`,
		`{"table": "t", "name": ["a"], "stored": ["b"], "other": 1}`,
		`{"table": "t", "name": ["a"], "stored": ["b"], "joins": [{"table": "u"}]}`,
		joining(`"or": {"table": "v"}`), joining(`"or": ` + joinOf(`"or": `+joinOf(""))), joining(`"with": [{"table": "v"}]`),
		joining(`"with": [` + joinOf(`"with": [`+joinOf("")+`]`) + `]`),
	} {
		if _, err := Parse([]byte(`{"systems": [{"system": "x", "layouts": [` + layouts + `]}]}`)); err == nil {
			t.Errorf("%s is taken", layouts)
		}
	}
	if _, err := Parse([]byte(`{"systems": [{"system": "x", "layouts": [` + joining(`"or": `+joinOf("")+
		`, "with": [`+joinOf("")+`]`) + `]}]}`)); err != nil {
		t.Error(err)
	}
	const good = `"layouts": [{"table": "t", "name": ["a"], "stored": ["b"]}]`
	for _, text := range []string{`{}`, `[]`, `{"systems": [null]}`, `{"systems": [{"system": "-", ` + good + `}]}`,
		`{"systems": [{"system": "x", ` + good + `}]} x`} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// Of the systems that a name may mean, the one is taken that it names most exactly; the operator's own go first.
func TestFind(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.json")
	const layouts = `"layouts": [{"table": "t", "name": ["a"], "stored": ["b"]}]`
	text := `{"systems": [{"system": "phpBB", ` + layouts + `}, {"system": "phpbb classic", ` + layouts + `}]}`
	if err := os.WriteFile(own, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := Builtin().With(own)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"AuthMe SHA256": "authme", "phpbb": "phpBB", "classic PHPBB 3": "phpbb classic", "nobody": "", "": "",
	} {
		got, err := all.Find(name)
		if (err == nil) != (want != "") || err == nil && got.Name != want {
			t.Errorf("%q is %v, %v", name, got, err)
		}
	}
}

// inDatabase is a table without rows.
type inDatabase struct{ tableRows }

func (inDatabase) Kind() table.Kind { return table.Live }

// Bytes are hexadecimal in a record, whether they come as PostgreSQL writes them or as they are, also those that begin
// like what that writes.
func TestBytesOfDatabases(t *testing.T) {
	r := &Reader{layout: &Layout{Stored: []string{"salt"}, Hex: []string{"salt"}}, file: inDatabase{}}
	for b, want := range map[string]string{
		`\x00ff`: `\x00ff`, "\x00\xff": "00ff", `\xnone`: "5c786e6f6e65", `\x0`: "5c7830", "a": "61",
	} {
		if got, err := r.stored(map[string]any{"salt": b}); err != nil || got["salt"] != want {
			t.Errorf("%q is %q, %v, want %q", b, got["salt"], err, want)
		}
	}
}

// A ban ends when it did there, and one that cannot be read does not end.
func TestBans(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := &Reader{known: now, layout: &Layout{Banned: map[string][]string{"banned": {"*"}}, Until: "until", Since: "since"}}
	soon := now.Add(time.Hour)
	for _, c := range []struct {
		banned, until, since string
		want                 time.Time
	}{
		{"", "", "", time.Time{}}, {"0", "0", "", time.Time{}}, {"1", "", "", forever()}, {"1", "0", "", forever()},
		{"", "1800003600", "", soon}, {"1", "1800003600", "5", soon}, {"1", "1800003600000", "", soon},
		{"1", "5", "4", time.Time{}},
		{"1", "5", "5", forever()}, {"1", "infinity", "", forever()}, {"f", "", "", time.Time{}},
		{"yes", "2027-01-15 09:00:00+00", "", soon}, {"yes", "2027-01-15T09:00:00Z", "", soon},
		{"", "0000-00-00 00:00:00", "", time.Time{}}, {"1", "0000-00-00", "", forever()},
	} {
		got := r.until(map[string]any{"banned": c.banned, "until": c.until, "since": c.since})
		if !got.Equal(c.want) {
			t.Errorf("%+v ends %v", c, got)
		}
	}
	r.layout = &Layout{Expires: "end"}
	for end, want := range map[string]time.Time{
		"": {}, "0": {}, "1800003600": {}, "2027-01-15 09:00:00": {}, "1799999999": forever(), "soon": forever(),
	} {
		if got := r.until(map[string]any{"end": end}); !got.Equal(want) {
			t.Errorf("of an account that ends %q the ban ends %v", end, got)
		}
	}
}

// Of several bans the one that ends last counts, what closes an account does so whatever other bans say, and a table of
// bans that has not got the columns is not taken for none.
func TestBansOfTables(t *testing.T) {
	l := Layout{Table: "users", Name: []string{"name"}, Stored: []string{"pw"},
		Closed: map[string][]string{"state": {"-*"}},
		Banned: map[string][]string{"bans.id": {"*"}, "off": {"1"}}, Until: "bans.until",
		Joins: []Join{{Table: "bans", Its: "id", Ours: "id", Columns: []string{"until"}, Optional: true}}}
	system := &System{Name: "ours", Layouts: []Layout{l}}
	const users = "CREATE TABLE users (id int, name text, pw text, state int, off bit(1));\nINSERT INTO users VALUES " +
		"(1,'one','x',0,b'0'),(2,'two','x',-7,'\\0'),(3,'three','x',0,_binary '\x01'),(4,'four','x',0,b'0');\n"
	for _, c := range []struct{ bans, want string }{
		{"CREATE TABLE bans (id int, until int);\nINSERT INTO bans VALUES (1,5),(1,0),(2,5),(4,9);\n", "one two three "},
		{"", "two three missing bans"},
		{"CREATE TABLE bans (account int, until int);\n", "line 3 of the dump"},
	} {
		if got := bannedOf(t, system, users+c.bans); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%q: banned are %s, want %s", c.bans, got, c.want)
		}
	}
}

// bannedOf tells who of a dump is banned for good, which table is missing, who cannot be read, or the error.
func bannedOf(t *testing.T, system *System, dump string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump.sql")
	if err := os.WriteFile(path, []byte(dump), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := system.Open(t.Context(), path, Options{System: "ours"})
	if err != nil {
		return err.Error()
	}
	got := ""
	for p, err := range r.Players(t.Context()) {
		switch {
		case err != nil:
			t.Fatal(err)
		case p.Err != nil:
			got += "bad " + p.Name + " "
		case p.Until.Equal(forever()):
			got += p.Name + " "
		}
	}
	for _, name := range r.Missing() {
		got += "missing " + name
	}
	for _, of := range r.Unread() {
		got += of
	}
	return got
}

// Bans are read where one version of a system keeps them or another, and what goes with each of them tells whether it
// counts. If they are nowhere, that is said; a table that is there and not what it is thought to be is not passed over.
func TestBansOfVersions(t *testing.T) {
	const layout = `{"table": "users", "name": ["name"], "stored": ["pw"], "banned": {"bans.who": ["*"]},
		"until": "bans.kinds.until", "joins": [{"table": "bans", "its": "who", "ours": "id", "columns": ["kind"],
		"only": {"kinds.login": ["1"]}, "optional": true,
		"with": [{"table": "kinds", "its": "kind", "ours": "kind", "columns": ["login", "until"], "optional": true}],
		"or": {"table": "OLD", "its": "who", "ours": "id", "columns": ["kind=nature", "gone?"], "only": {"nature": ["ban"]},
		"optional": true}}]}`
	parse := func(old string) *System {
		systems, err := Parse([]byte(`{"systems": [{"system": "ours", "layouts": [` + strings.Replace(layout, "OLD", old, 1) +
			`]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return systems[0]
	}
	const users = "CREATE TABLE users (id int, name text, pw text);\n" +
		"INSERT INTO users VALUES (1,'one','x'),(2,'two','x'),(3,'three','x');\n"
	const kinds = "CREATE TABLE kinds (kind int, login int, until int);\n"
	const bans = "CREATE TABLE bans (who int, kind int);\nINSERT INTO bans VALUES (1,7),(1,9),(2,8),(3,7);\n"
	const old = "CREATE TABLE %s (who int, nature text);\nINSERT INTO %s VALUES (1,'mute'),(2,'ban'),(3,'mute');\n"
	for _, c := range []struct{ old, dump, want string }{
		{"old", bans + kinds +
			"INSERT INTO kinds VALUES (7,1,5),(8,0,0),(9,1,0);\n",
			"one "},
		{"old", bans + kinds + "INSERT INTO kinds VALUES (8);\n" +
			"INSERT INTO kinds VALUES (9,1);\nINSERT INTO kinds VALUES (7,1,0);\n", "bad one bad two three "},
		{"old", bans, "missing bans and kinds or old"},
		{"old", "", "missing bans and kinds or old"},
		{"old", strings.ReplaceAll(old, "%s", "old"), "two "},
		{"bans", strings.ReplaceAll(old, "%s", "bans"), "two "},
		{"bans", "", "missing bans and kinds"},
		{"bans", "CREATE TABLE bans (whoever int, nature int);\n", `there are "whoever", "nature"`},
		{"old", kinds + "CREATE TABLE bans (who int);\n", `there are "who"`},
		{"old", "CREATE TABLE old (whoever int);\n", `there are "whoever"`},
	} {
		got := bannedOf(t, parse(c.old), users+c.dump)
		if got != c.want && (!strings.HasPrefix(c.want, "there") || !strings.Contains(got, c.want)) {
			t.Errorf("%q: %s, want %s", c.dump, got, c.want)
		}
	}
}

// An account that Prosody has disabled is banned.
func TestDisabledInProsody(t *testing.T) {
	dir := t.TempDir()
	const disabled = `["disabled"] = true; ["disabled_meta"] = { ["at"] = 5; };`
	for name, more := range map[string]string{"ann": "", "out": disabled} {
		text := "return {\n\t[\"password\"] = \"pw\";\n\t" + more + "\n};\n"
		if err := os.WriteFile(filepath.Join(dir, name+".dat"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Builtin().Find("prosody")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), dir, Options{System: "prosody"})
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range r.Players(t.Context()) {
		if err != nil || p.Err != nil || p.Until.Equal(forever()) != (p.Name == "out") {
			t.Error(p, err)
		}
	}
}

// A map that cannot be meant is refused when it is read.
func TestBadMaps(t *testing.T) {
	if m, err := ParseMap([]byte(`{}`)); err != nil {
		t.Error(err)
	} else if _, _, err := m.of(&Layout{}); err == nil {
		t.Error("no number of the player is needed")
	} else if own, _, err := m.of(&Layout{ID: "nr?"}); err != nil || own.ID != "nr" {
		t.Errorf("%+v, %v", own, err)
	}
	for _, text := range []string{
		``, `{"id": "i", "level": "l"}`, `{"id": "i", "numbers": {"level": "l"}}`, `{"id": "i", "numbers": {"Gold!": "l"}}`,
		`{"id": "i", "x": {"path": "x", "by": 2}}`, `{"id": "i", "x": "a["}`, `{"id": "i", "data": 7}`,
		`{"id": "i", "data": {"a": 7}}`,
		`{"id": "i", "characters": ` + joinOf(`"or": `+joinOf("")) + `}`,
		`{"id": "i", "characters": {"table": "t"}}`, `{"id": "i"} {}`,
	} {
		if _, err := ParseMap([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// With --columns any name may be given for what is stored, and the file need not be a database.
func TestOfColumns(t *testing.T) {
	for _, columns := range [][]string{{}, {"name=a"}, {"stored=b"}, {"name", "stored=b"}, {"name=", "stored=b"}} {
		if _, err := OfColumns("x", "t", columns); err == nil {
			t.Errorf("%v is taken", columns)
		}
	}
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("login;pw;salt\nann;h;s\nbob;;\n;h;s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OfColumns("ours", "", []string{"name=login", "stored=pw", "salt=salt?"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), path, Options{System: "ours", With: map[string]any{"pepper": "p"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for p, err := range r.Players(t.Context()) {
		switch {
		case err != nil:
			t.Fatal(err)
		case p.Err != nil:
			got = append(got, p.Err.Error())
		case p.NoPassword:
			got = append(got, p.Name)
		default:
			got = append(got, p.Name+text(p.Stored["stored"])+text(p.Stored["salt"])+text(p.Stored["pepper"])+p.System)
		}
	}
	if want := "annhspours bob " + errNoName.Error(); strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What a JSON object has not got is not taken for a player without a password.
func TestMissingValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(path, []byte(`{"login":"ann","pw":null}`+"\n"+`{"login":"bob"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OfColumns("ours", "", []string{"name=login", "stored=pw"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), path, Options{System: "ours"})
	if err != nil {
		t.Fatal(err)
	}
	var all []Player
	for p, err := range r.Players(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) != 2 || !all[0].NoPassword || all[0].Err != nil || all[1].Err == nil {
		t.Errorf("%+v", all)
	}
}

func FuzzPath(f *testing.F) {
	f.Add("credentials[type=password].config.hash", `{"credentials":[{"type":"password","config":"{\"hash\":1}"}]}`)
	f.Fuzz(func(t *testing.T, path, text string) {
		var values map[string]any
		if json.Unmarshal([]byte(text), &values) != nil {
			return
		}
		_, err := parsePath(path)
		if _, found := look(values, path); found && err != nil && values[strings.TrimSuffix(path, "?")] == nil {
			t.Errorf("%q is no path, and leads somewhere", path)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"systems": [{"system": "x", "layouts": [
		{"table": "t", "name": ["a", "b.c"], "stored": ["h=b[0]?"], "until": "u"}]}]}`))
	f.Add([]byte(`{"id": "i", "x": {"path": "x", "times": 2}, "data": {"a": "b"},
		"characters": {"table": "t", "its": "a", "ours": "b"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if systems, err := Parse(b); err == nil {
			for _, s := range systems {
				for i := range s.Layouts {
					if err := s.Layouts[i].check(); err != nil || s.Layouts[i].Describe() == "" {
						t.Errorf("%q: %v", b, err)
					}
					s.Layouts[i].columns()
				}
			}
		}
		if m, err := ParseMap(b); err == nil {
			if _, _, err := m.of(&Layout{ID: "id"}); err != nil {
				t.Errorf("%q: %v", b, err)
			}
		}
	})
}
