package mail

import (
	"bytes"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// FuzzWire has whatever a player or a template's author can put into a mail be no more than text: of the header there
// are the lines that there always are, for the one reader, and what a player brings stands in the HTML as text.
func FuzzWire(f *testing.F) {
	s, err := NewSender(Config{Server: "smtp+plain://127.0.0.1:25", From: "The Game <noreply@example.org>"})
	if err != nil {
		f.Fatal(err)
	}
	templates, err := LoadTemplates(fstest.MapFS{
		"recover.txt":  {Data: []byte("Subject: {{.Server}}, {{.Username}}\n\n{{.Username}}\n{{.Code}}\n")},
		"recover.html": {Data: []byte(`<p title="{{.Username}}">{{.Username}}</p><a href="{{.Server}}">{{.Code}}</a>`)},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("alice\r\nBcc: eve@example.org", "en\r\nBcc: eve@example.org", "a\r\n\r\n.\r\nMAIL FROM:<eve@example.org>")
	f.Add(`"><script>alert(1)</script>`, "de", "{{.Code}} {{template \"x\"}} javascript:alert(1)")
	f.Add("a\u2028b\u202e\u0085\x00\xff", "*", strings.Repeat("ä", 300))
	f.Fuzz(func(t *testing.T, name, wish, server string) {
		for _, languages := range []string{wish, Languages(wish)} {
			m, err := templates.Write(Recover, languages, Values{Server: server, Username: name, Code: "7K2M-QX9D-4HPT"})
			if err != nil {
				return // a subject that is too long, or empty
			}
			if strings.Contains(m.HTML, "<script") || strings.Contains(m.HTML, `href="javascript`) ||
				strings.Count(m.HTML, "<") != 4 || strings.Count(m.HTML, `"`) != 4 {
				t.Fatalf("%q and %q come into the HTML as %q", name, server, m.HTML)
			}
			m.To = "alice@example.org"
			checkWire(t, s, m)
		}
	})
}

// checkWire looks at a message as it goes over the wire.
func checkWire(t *testing.T, s *Sender, m Message) {
	t.Helper()
	letter, err := s.letter(m)
	if err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	if _, err := letter.WriteTo(&wire); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(bytes.ReplaceAll(wire.Bytes(), []byte("\r\n"), nil), []byte("\r")) {
		t.Fatalf("there is a line break of another kind in %q", wire.Bytes())
	}
	got, err := mail.ReadMessage(&wire)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To",
	}
	if keys := slices.Sorted(maps.Keys(got.Header)); !slices.Equal(keys, want) {
		t.Fatalf("the header has %q", keys)
	}
	if to := got.Header["To"]; len(to) != 1 || to[0] != "<alice@example.org>" {
		t.Fatalf("the readers are %q", to)
	}
}
