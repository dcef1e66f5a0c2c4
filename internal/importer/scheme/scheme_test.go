package scheme

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// quick is how long a hash may take that is always tried.
const quick = time.Millisecond

// Every vector of every family is recognised, its password is accepted, and another is not.
func TestVectors(t *testing.T) {
	all := Builtin()
	tried := map[string]bool{}
	for _, f := range all.Families() {
		for i, v := range f.Vectors {
			t.Run(fmt.Sprintf("%s/%d/%s", f.Family, i+1, v.System), func(t *testing.T) {
				p, err := all.Recognise(v.Record)
				if err != nil {
					t.Fatal(err)
				}
				tried[p.Scheme] = true
				if p.Recipe.Cost() > quick && os.Getenv("RUSHGATE_LONG") == "" {
					t.Skip("slow; a player of one record of each recipe logs in in cmd/rushgate, and RUSHGATE_LONG tries all")
				}
				if !p.Is(v.Password) {
					t.Errorf("%s does not accept the password", p.Scheme)
				}
				// What is slow is the function of another package; that it tells passwords apart is for others to show.
				if p.Recipe.Cost() < 30*time.Millisecond && p.Is("x"+v.Password) {
					t.Errorf("%s accepts a wrong password", p.Scheme)
				}
			})
		}
	}
	names := map[string]bool{}
	for _, f := range all.Families() {
		for _, s := range f.Schemes {
			if names[s.Name] {
				t.Errorf("two schemes are called %q", s.Name)
			}
			names[s.Name] = true
		}
	}
	t.Logf("%d of %d schemes have a vector", len(tried), len(names))
}

func stored(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// A record is recognised whatever its fields are called a little differently, and one that could be of several systems
// is not taken for any.
func TestRecognise(t *testing.T) {
	const md5 = "5f4dcc3b5aa765d61d8327deb882cf99" // of "password"
	for _, c := range []struct{ system, stored, want string }{
		{"freeciv", `{"fcdb_auth.password": "` + md5 + `"}`, "freeciv md5"},
		{"Freeciv fcdb 3.0", `{"PASSWORD": "` + strings.ToUpper(md5) + `"}`, "freeciv md5"},
		{"freeciv", `{"whatever": "` + md5 + `"}`, "freeciv md5"},
		{"freeciv", `{"password": ["0x` + md5 + `"]}`, "freeciv md5"},
		{"freeciv", `{"row": [{"password": "` + md5 + `", "email": "x"}]}`, "freeciv md5"},
		{"eqemu", `{"account_password": "` + md5 + `", "mode": 1}`, "eqemu mode 1"},
		{"eqemu mode 11", `{"account_password": "` + md5 + `", "mode": 1}`, "eqemu mode 1"}, // the field says it
		{"eqemu loginserver mode 1", `{"account_password": "` + md5 + `"}`, "eqemu mode 1"},
		{"eqemu", `{"account_password": "` + md5 + `"}`, ""},
		{"freeciv", `{"password": "` + md5[1:] + `"}`, ""},
		{"freeciv", `{"password": "` + md5 + `\n"}`, ""},
		{"freeciv", `{}`, ""},
		{"freeciv", `{"password": {"a": "b"}}`, ""},
		{"nobody knows it", `{"password": "` + md5 + `"}`, ""},
		{"nobody knows it", `{"password": "{MD5}X03MO1qnZdYdgyfeuILPmQ=="}`, "ldap md5"},
		{"authme MD5", `{"password": "` + md5 + `"}`, "authme md5"},
		{"authme MD5VB", `{"password": "` + md5 + `"}`, "authme md5"},
		{"authme", `{"password": "` + md5 + `"}`, ""},
		{"rathena", `{"user_pass": "` + md5 + `"}`, "rathena md5"},
		{"rathena use_MD5_passwords: no", `{"user_pass": "` + md5 + `"}`, "rathena plain"},
		{"rathena", `{"user_pass": "$2y$04$abcdefghijklmnopqrstuuVxrIdT0vjUpB4MyCPDlM.HLUnKfnWy6"}`, "bcrypt"}, // not plain
		{"freeciv", `{"Pass_Word": "` + md5 + `", "email": "x"}`, "freeciv md5"},
		{"freeciv", `{"userPassword": "` + md5 + `", "email": "x"}`, "freeciv md5"},
		{"freeciv", `{"password": "\\x` + md5 + `"}`, "freeciv md5"},
		{"freeciv", `{"password": "` + md5 + `", "salt": null}`, "freeciv md5"},
		{"freeciv", `{"password": "` + md5 + `", "salt": "ab"}`, ""}, // it has none
		{"authme SALTED2MD5", `{"password": "` + md5 + `"}`, ""},     // it has one
		{"mybb", `{"password": "` + md5 + `"}`, ""},                  // the only column is not both
		{"md5", `{"password": "` + md5 + `"}`, "unsalted md5"},
		{"a game, md5", `{"password": "` + md5 + `"}`, ""},
		{"eqemu", `{"account_password": "` + md5 + `", "encryption_mode": 2}`, "eqemu mode 2"},
		{"phpbb argon2id", `{"password": "$argon2id$v=19$m=32,t=2,p=4$c2FsdHNhbHQ$AAAAAAAAAAAAAAAA"}`, "phpbb argon2id"},
		{"some", `{"userPassword": "{md5}X03MO1qnZdYdgyfeuILPmQ=="}`, "ldap md5"},
		{"django", `{"password": "pbkdf2_sha256$90000000$salt$` + strings.Repeat("A", 43) + `="}`, ""}, // costs too much
		{"django", `{"password": "pbkdf2_sha256$99999999999$salt$` + strings.Repeat("A", 43) + `="}`, ""},
		{"some", `{"password": "$2y$31$abcdefghijklmnopqrstuuVxrIdT0vjUpB4MyCPDlM.HLUnKfnWy6"}`, ""},
		{"some", `{"password": "$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"}`, ""},
	} {
		p, err := Builtin().Recognise(Record{c.system, "Alice", stored(t, c.stored)})
		switch {
		case c.want == "" && !errors.Is(err, ErrUnknownForm) && !errors.Is(err, ErrUnknownSystem):
			t.Errorf("%s %s is taken for %v, %v", c.system, c.stored, p, err)
		case c.want != "" && (err != nil || p.Scheme != c.want):
			t.Errorf("%s %s is taken for %v, %v", c.system, c.stored, p, err)
		}
		if err != nil && (strings.Contains(err.Error(), md5) || strings.Contains(err.Error(), "salt$")) {
			t.Errorf("the error has what is stored: %v", err)
		}
	}
}

// What a record's system could be is said by the error, if its form fits one, or several.
func TestWhatSystemCouldBeMeant(t *testing.T) {
	const md5 = "5f4dcc3b5aa765d61d8327deb882cf99"
	reader := Builtin().Reader()
	for _, c := range []struct{ system, want string }{
		{"eqemu", `"eqemu mode 1" or "eqemu mode 2"`},
		{"authme", `"authme MD5"`},
		{"nobody knows it", `"unsalted md5"`},
	} {
		_, err := reader.Recognise(Record{c.system, "Alice", map[string]any{"password": md5}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.system, err)
		}
	}
	reader.advised = maxAdvice // of which only so many are looked at
	_, err := reader.Recognise(Record{"authme", "Alice", map[string]any{"password": md5}})
	if err == nil || strings.Contains(err.Error(), "MD5") {
		t.Error(err)
	}
}

const ours = `{
	"family": "ours", "about": "a game of ours",
	"schemes": [{
		"name": "ours", "systems": ["ours", "freeciv"], "match": {"pw": "v1:<salt:word>:<digest:hex#32>"},
		"recipe": "hmac_sha256(salt, lower(name) + '/' + password)"
	}],
	"vectors": [{"system": "ours", "username": "Al", "password": "pw",
		"stored": {"pw": "v1:pepper:%s"}}]
}`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "family.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file of the operator's goes before what is built in, and is used only if its vectors are right.
func TestOperatorsFile(t *testing.T) {
	const wrong = "35e5ddd89ea11e53bb2a5d22d5e6d95d9a6c69be0c83c1ffb6ba1bd2d58a1cbc"
	sum := hmacOf(t)
	all, err := Builtin().With(write(t, fmt.Sprintf(ours, sum)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Builtin().With(write(t, "\ufeff"+fmt.Sprintf(ours, sum))); err != nil {
		t.Error(err)
	}
	p, err := all.Recognise(Record{"freeciv", "AL", map[string]any{"pw": "v1:pepper:" + sum}})
	if err != nil || !p.Is("pw") {
		t.Errorf("%v, %v", p, err)
	}
	p, err = all.Recognise(Record{"freeciv", "AL", map[string]any{"pw": wrong[:32]}})
	if err != nil || p.Scheme != "freeciv md5" {
		t.Errorf("%v, %v", p, err)
	}
	for why, text := range map[string]string{
		"does not accept the password": fmt.Sprintf(ours, wrong),
		"vector 1":                     fmt.Sprintf(ours, wrong[1:]),
		"unknown field":                strings.Replace(ours, `"about"`, `"abuot"`, 1),
		"no function":                  strings.Replace(ours, "hmac_sha256", "hmac_sha257", 1),
		"no pattern binds salt":        strings.Replace(ours, "<salt:word>", "<sand:word>", 1),
		"no pattern binds digest":      strings.Replace(ours, "<digest:", "<other:", 1),
		"it may be one of":             strings.Replace(ours, ":word>", ":wort>", 1),
		"a < without a >":              strings.Replace(ours, "#32>", "#32", 1),
		"it needs 1 to 64 vectors":     ours[:strings.Index(ours, `"vectors"`)] + `"vectors": []}`,
		"something follows":            fmt.Sprintf(ours, sum) + "{}",
		"not the JSON":                 "[]",
		"a text in UTF-16":             "{\x00 \x00}\x00",
		"larger than":                  strings.Repeat(" ", maxFile+1),
	} {
		if _, err := Builtin().With(write(t, text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("want %q, got %v", why, err)
		}
	}
}

// hmacOf is what the scheme "ours" stores for its vector.
func hmacOf(t *testing.T) string {
	t.Helper()
	f, err := Parse([]byte(ours))
	if err != nil {
		t.Fatal(err)
	}
	any32 := map[string]any{"pw": "v1:pepper:" + strings.Repeat("00", 32)}
	p, err := (&Set{[]*Family{f}}).Recognise(Record{"ours", "Al", any32})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", p.Recipe.Make(0, "pw"))
}

func FuzzParseFamily(f *testing.F) {
	f.Add([]byte(ours))
	f.Add([]byte(`{"family":"f","schemes":[{"name":"n","systems":["*","=a 1"],"when":{"a|c":"b"},"match":{"a|b?":` +
		`"<digest:base64|starts=01|int=n#4|take=salt#16|until=more:7b7d|reverse|pad#9>","c":{"d":"<s:itoa5>"}},` +
		`"recipe":"cut(salt,n)"}]}`))
	f.Add([]byte(`{"family":"f","schemes":[{"name":"n","systems":["*"],"match":` +
		`{"a":"$<n:xint|text=t>$<o:itoa4><digest:sha1>"},"recipe":"sha1crypt(password+t,'',n)"}],` +
		`"vectors":[{"stored":{"a":"$9$..../5.Wm0Sau/6fF1VaWwoMY4hlL8fU7"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		family, err := Parse(b)
		if err != nil {
			return
		}
		set := &Set{[]*Family{family}}
		for _, v := range family.Vectors {
			if p, err := set.Recognise(v.Record); err == nil && p.Recipe.Cost() < 10*time.Millisecond {
				p.Is(v.Password)
			}
		}
	})
}

func FuzzRecognise(f *testing.F) {
	for _, family := range Builtin().Families() {
		for _, v := range family.Vectors {
			b, err := json.Marshal(v.Stored)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(v.System, v.Username, b)
		}
	}
	f.Fuzz(func(t *testing.T, system, name string, b []byte) {
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		var m map[string]any
		if d.Decode(&m) != nil {
			return
		}
		p, err := Builtin().Recognise(Record{system, name, m})
		if err != nil {
			return
		}
		if size := p.Recipe.Size(); size >= 0 && size != len(p.Digest) {
			t.Errorf("%s makes %d bytes, and the digest has %d", p.Scheme, size, len(p.Digest))
		}
		if p.Recipe.Cost() < quick {
			p.Is(name)
		}
	})
}
