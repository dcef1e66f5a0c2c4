package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const minimal = `"name":"one","issuer":"https://id.example","client_id":"web","redirect":"https://game.example/back"`

func TestAFileOfProviders(t *testing.T) {
	all, files, err := parse([]byte(`{"providers":[
		{` + minimal + `},
		{"name":"two","preset":"google","client_id":"web","client_secret_file":"secret","redirect":"http://127.0.0.1/back",
		 "scopes":["openid"],"audiences":["a","b"],"name_from":["given_name"],"userinfo":true}]}`))
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if s := all[0]; s.Issuer != "https://id.example" || len(s.Scopes) != 3 || s.Userinfo || files[0].secret != "" {
		t.Errorf("%+v", s)
	}
	s := all[1]
	if s.Issuer != "https://accounts.google.com" || len(s.Scopes) != 1 || len(s.Audiences) != 2 ||
		s.NameFrom[0] != "given_name" || !s.Userinfo || files[1].secret != "secret" {
		t.Errorf("%+v", s)
	}
}

// What docs/identities.md shows is a file of providers.
func TestTheDocumentedFile(t *testing.T) {
	doc, err := os.ReadFile("../../docs/identities.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```json\n")
	file, _, _ := strings.Cut(rest, "```")
	if all, _, err := parse([]byte(file)); err != nil || len(all) != 2 {
		t.Error(all, err)
	}
	_, table, _ := strings.Cut(string(doc), "| preset | issuer |")
	for name, p := range presets {
		row := fmt.Sprintf("| `%s` | `%s`", name, p.issuer)
		if !strings.Contains(table, row) || !strings.Contains(table, "`"+strings.Join(p.scopes, " ")+"`") {
			t.Errorf("the preset %s is not there as it is", name)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	one := func(more string) string { return `{"providers":[{` + minimal + more + `}]}` }
	instead := func(field, value string) string { // of one of the minimal fields
		var v map[string]string
		if err := json.Unmarshal([]byte("{"+minimal+"}"), &v); err != nil {
			t.Fatal(err)
		}
		if v[field] = value; value == "" {
			delete(v, field)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return `{"providers":[` + string(b) + `]}`
	}
	of := func(preset, more string) string {
		return `{"providers":[{"name":"a",` + more + `"preset":"` + preset + `","client_id":"a","redirect":"https://a/"}]}`
	}
	for body, message := range map[string]string{
		``:                               "ends too early",
		`{"providers":[]}`:               "0 providers",
		`{"providers":[1]}`:              "an array of objects",
		`{"provider":[]}`:                "other than providers",
		one(`,"secret":"hush"`):          "a field other than",
		one(`,"name":"two"`):             "name is there twice",
		one(`,"preset":"hush"`):          "there is none of that name",
		one(`,"preset":"google"`):        "the preset has it",
		one(`,"tenant":"x"`):             "Microsoft's",
		one(`,"team_id":"x"`):            "Apple's",
		one(`,"scopes":["email"]`):       "without openid",
		one(`,"scopes":["openid hush"]`): "without spaces",
		one(`,"audiences":["` + strings.Repeat("a", 513) + `"]`):                        "at most",
		strings.Replace(one(""), "}]", "},{"+minimal+"}]", 1):                           "one is there twice",
		instead("name", "One"):                                                          "name: ",
		instead("name", ""):                                                             "name: ",
		instead("client_id", ""):                                                        "client_id: ",
		instead("client_id", "a b"):                                                     "client_id: ",
		instead("issuer", ""):                                                           "issuer: it is missing",
		instead("issuer", "http://id.example"):                                          "begin with https",
		instead("issuer", "https://id.example/?a"):                                      "without a query",
		instead("issuer", "https://id.example#"):                                        "without a query",
		instead("issuer", "https://hush@id.example"):                                    "not the URL",
		instead("issuer", "ldap://id.example"):                                          "begin with https",
		instead("redirect", "game.example/back"):                                        "redirect: ",
		instead("redirect", "http://game.example/back"):                                 "redirect: ",
		of("twitch", ``):                                                                "client_secret_file",
		of("apple", ``):                                                                 "Apple that wants",
		of("microsoft", `"tenant":"common",`):                                           "common",
		of("microsoft", `"issuer":"https://b",`):                                        "the preset has it",
		`{"providers":[` + strings.Repeat(`{`+minimal+`},`, 32) + `{` + minimal + `}]}`: "33 providers",
		`{"providers":[]}` + strings.Repeat(" ", 64<<10):                                "more than",
	} {
		_, _, err := parse([]byte(body))
		said := fmt.Sprint(err)
		if !errors.Is(err, ErrSettings) || !strings.Contains(said, message) || strings.Contains(said, "hush") {
			t.Errorf("%.200s: %v, want %q", body, err, message)
		}
	}
}

func TestSecretsAreForTheNodeAlone(t *testing.T) {
	dir := t.TempDir()
	secret, file := filepath.Join(dir, "secret"), filepath.Join(dir, "providers.json")
	write := func(path, content string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(content), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write(file, `{"providers":[{`+minimal+`,"client_secret_file":"`+filepath.ToSlash(secret)+`"}]}`, 0o644)
	write(secret, "hush\n", 0o600)
	all, err := Load(file)
	if err != nil || all[0].Secret != "hush" {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", all, all, all, all[0].Secret); strings.Contains(shown, "hush") {
		t.Errorf("shown: %s", shown)
	}
	for name, change := range map[string]func(){
		"empty":    func() { write(secret, "\n", 0o600) },
		"too long": func() { write(secret, strings.Repeat("a", 5000), 0o600) },
		"open": func() {
			if write(secret, "hush", 0o604); runtime.GOOS == "windows" {
				write(secret, "", 0o600)
			}
		},
		"missing": func() { _ = os.Remove(secret) },
		"no key": func() {
			write(secret, "hush", 0o600)
			write(file, strings.ReplaceAll(`{"providers":[{"name":"a","preset":"apple","client_id":"a","redirect":"https://a/",
				"team_id":"a","key_id":"a","key_file":"FILE"}]}`, "FILE", filepath.ToSlash(secret)), 0o644)
		},
	} {
		change()
		if _, err := Load(file); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"providers":[{` + minimal + `}]}`))
	f.Add([]byte(`{"providers":[{"name":"a","preset":"discord","client_id":"a","redirect":"https://a/",
		"scopes":["identify"]}]}`))
	f.Add([]byte(`{"providers":[{"name":"a","preset":"apple","client_id":"a","redirect":"https://a/",
		"team_id":"a","key_id":"b","key_file":"c"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, secrets, err := parse(b)
		if err != nil {
			if all != nil || !errors.Is(err, ErrSettings) {
				t.Fatal(all, err)
			}
			return
		}
		names := make(map[string]bool)
		for _, s := range all {
			if err := s.check(); err != nil || names[s.Name] {
				t.Fatalf("%+v: %v", s, err)
			}
			names[s.Name] = true
		}
		if len(all) == 0 || len(all) > MaxProviders || len(secrets) != len(all) {
			t.Fatal(len(all), len(secrets))
		}
	})
}
