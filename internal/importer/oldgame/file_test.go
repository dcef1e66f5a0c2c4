package oldgame

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/jsonl"
)

func TestFileLines(t *testing.T) {
	good := func(name string) string {
		return `{"other":{"a":[1]},"value":"NIL","key":"account:` + name + `","password":"hunter2"}`
	}
	tests := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"one", good("a"), "1 account:a"},
		{"line ends", good("a") + "\r\n\n  \n" + good("b") + "\n", "1 account:a, 4 account:b"},
		{"escapes", `{"key":"account:\u017c\ud83d\udc09\"","value":""}`, "1 account:ż🐉\""},
		{"not JSON", "hunter2\n" + good("b"),
			"1 error the line is not a JSON object with the strings \"key\" and \"value\", 2 account:b"},
		{"not an object", "null\n[]\n" + good("b"),
			"1 error the line is not a JSON object with the strings \"key\" and \"value\", " +
				"2 error the line is not a JSON object with the strings \"key\" and \"value\", 3 account:b"},
		{"two objects", good("a") + good("b"),
			"1 error the line is not a JSON object with the strings \"key\" and \"value\""},
		{"no key", `{"value":"x"}`, `1 error the line has no "key"`},
		{"no value", `{"key":"account:a"}`, `1 error the line has no "value"`},
		{"key of another type", `{"key":1,"value":""}`,
			"1 error the line is not a JSON object with the strings \"key\" and \"value\""},
		{"value of another type", `{"key":"account:a","value":null}`, `1 error the line has no "value"`},
		{"names in other cases", `{"key":"account:a","KEY":"account:b","Value":1,"value":"NIL"}`, "1 account:a"},
		{"names in other cases only", `{"Key":"account:a","VALUE":"NIL"}`, `1 error the line has no "key"`},
		{"key twice", `{"key":"account:a","value":"NIL","key":"account:b"}`, `1 error the line has "key" twice`},
		{"key twice, once escaped", `{"key":"account:a","value":"NIL","\u006bey":"account:a"}`,
			`1 error the line has "key" twice`},
		{"value twice", `{"key":"account:a","value":null,"value":"NIL"}`, `1 error the line has "value" twice`},
		{"broken in another field", `{"key":"account:a","value":"NIL","x":hunter2}`,
			"1 error the line is not a JSON object with the strings \"key\" and \"value\""},
		{"comma at the end", `{"key":"account:a","value":"NIL",}`,
			"1 error the line is not a JSON object with the strings \"key\" and \"value\""},
		{"half a pair", `{"key":"account:\ud83d","value":""}`, `1 error the line has text that is not UTF-8`},
		{"not UTF-8", "{\"key\":\"account:\xff\",\"value\":\"\"}", "1 error the line is not UTF-8"},
		{"too long", strings.Repeat("x", jsonl.MaxLineLen+1) + "\n" + good("b"),
			"1 error a line of more than 262144 bytes, 2 account:b"},
		{"much too long", strings.Repeat("x", 3*jsonl.MaxLineLen) + "\n" + good("b"),
			"1 error a line of more than 262144 bytes, 2 account:b"},
		{"too long at the end", good("a") + "\n" + strings.Repeat("x", 3*jsonl.MaxLineLen),
			"1 account:a, 2 error a line of more than 262144 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := openText(t, tt.text)
			var got []string
			var refs []ref
			err := f.records.scan(t.Context(), func(it item) error {
				if it.err != nil {
					if strings.Contains(it.err.Error(), "hunter2") {
						t.Errorf("the error quotes a password: %v", it.err)
					}
					got = append(got, itoa(it.line)+" error "+it.err.Error())
					return nil
				}
				got = append(got, itoa(it.line)+" "+it.key)
				refs = append(refs, it.ref)
				return nil
			})
			if s := strings.Join(got, ", "); err != nil || s != tt.want {
				t.Errorf("got %s, %v, want %s", s, err, tt.want)
			}
			slices.Reverse(refs)
			items, err := f.records.fetch(t.Context(), refs)
			for i, it := range items {
				if it.ref != refs[i] || it.err != nil {
					t.Errorf("%s was not found again: %v, %v", refs[i].key, it.err, err)
				}
			}
		})
	}
}

func itoa(n int) string { return string(rune('0' + n)) }

// A line longer than what is read of it at first is found whole.
func TestFileFetchesLongLines(t *testing.T) {
	long := record{Key: "account:a", Value: strings.Repeat("x", 8<<10)}
	f := writeFile(t, playerRecord(1), long, playerRecord(2))
	var refs []ref
	if err := f.records.scan(t.Context(), func(it item) error { refs = append(refs, it.ref); return nil }); err != nil {
		t.Fatal(err)
	}
	items, err := f.records.fetch(t.Context(), refs)
	if err != nil || items[1].value != long.Value || items[2].key != "player:2" {
		t.Errorf("%v", err)
	}
}

// A file that changes between the passes costs the records that moved, and nothing else.
func TestFileThatChanges(t *testing.T) {
	f := writeFile(t, slices.Concat(pair("ann", 1), pair("bob", 2), pair("eve", 3))...)
	path := f.records.(*file).lines.Name()
	store := newMemory(t)
	changed := false
	r, err := importer.Import(t.Context(), f, store, importer.Options{BatchSize: 1, Progress: func(p importer.Progress) {
		if !p.Writing || changed {
			return
		}
		changed = true // when bob has been read, too: that goes on while ann is written
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte("account:eve"), []byte("account:EVE")), 0o600); err != nil {
			t.Error(err)
		}
	}})
	if err != nil || r.Imported != 2 || !slices.Equal(refused(r), []string{"account:eve gone"}) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOpenFileRefuses(t *testing.T) {
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was opened")
	}
	if _, err := OpenFile(t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
}
