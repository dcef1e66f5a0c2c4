package mail

import (
	"strings"
	"testing"
	"testing/fstest"
)

var evil = Values{Server: "Rush\r\ngate", Username: "<b>\r\nBcc: x\u202e&", Code: "7K2M-QX9D-4HPT", Minutes: 15}

func folder(files map[string]string) fstest.MapFS {
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return dir
}

func TestBuiltInTemplates(t *testing.T) {
	for _, kind := range kinds {
		m, err := BuiltIn().Write(kind, "de", evil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(m.Subject, "\r\n") || !strings.HasPrefix(m.Subject, "Rushgate: ") || m.HTML != "" {
			t.Errorf("%s has the subject %q", kind, m.Subject)
		}
		if hasCode := strings.Contains(m.Text, "\n    "+evil.Code+"\n"); hasCode == (kind == Changed || kind == FactorGone) {
			t.Errorf("%s reads %q", kind, m.Text)
		}
		if strings.Contains(m.Text, "\nBcc") || strings.Contains(m.Text, "\u202e") {
			t.Errorf("%s reads %q", kind, m.Text)
		}
		if kind == Verify && strings.Contains(m.Text, "Bcc: x") {
			t.Error("whoever has an address is told a name that another has chosen")
		}
	}
}

func TestTemplatesOfAFolder(t *testing.T) {
	templates, err := LoadTemplates(folder(map[string]string{
		"recover.txt":       "Subject: code\n\n{{.Code}}",
		"recover.de.txt":    "Subject: Kennwort für {{.Username}}\r\n\r\n{{.Code}}\r\n\r\nBis bald",
		"recover.de.html":   "<p title='{{.Username}}'>{{.Username}}</p>",
		"recover.pt-BR.txt": "Subject: senha\n\n{{.Code}}",
		"README.md":         "no template", ".hidden.txt": "none", "verify.fr.txt": "Subject: adresse\n\n{{.Code}}",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for wish, subject := range map[string]string{
		"": "code", "de": "Kennwort für <b>Bcc: x&", "da, de-AT;q=0.8": "Kennwort für <b>Bcc: x&", "pt": "senha",
		"ja": "code", "en": "code", ";;;": "code", strings.Repeat("de,", 500): "code",
	} {
		m, err := templates.Write(Recover, Languages(wish), evil)
		if err != nil || m.Subject != subject {
			t.Errorf("%.20q: subject %q, error %v, want %q", wish, m.Subject, err, subject)
		}
		if strings.HasPrefix(m.Subject, "Kennwort") {
			if want := "<p title='&lt;b&gt;Bcc: x&amp;'>&lt;b&gt;Bcc: x&amp;</p>"; m.HTML != want {
				t.Errorf("HTML %q, want %q", m.HTML, want)
			}
			if want := evil.Code + "\n\nBis bald"; m.Text != want {
				t.Errorf("text %q, want %q", m.Text, want)
			}
		}
	}
	if m, err := templates.Write(Verify, "de", evil); err != nil || m.Subject != "Rushgate: your e-mail address" {
		t.Errorf("subject %q, error %v, want the one that the program has", m.Subject, err)
	}
}

func TestBadTemplates(t *testing.T) {
	const good = "Subject: x\n\n"
	for says, files := range map[string]map[string]string{
		"recover.txt:3: unclosed action": {"recover.txt": good + "{{.Code"},
		"recover.de.txt:4:2":             {"recover.de.txt": good + "\n{{.Kode}}"},
		"recover.html:2:":                {"recover.txt": good + "x", "recover.html": "\n<a href='{{if}}'>"},
		"no recover.de.txt beside":       {"recover.de.html": "x"},
		"recover.txt:1: a text":          {"recover.txt": "Dear {{.Username}}"},
		"verify.txt:1: a text":           {"verify.txt": "Subject: a\nBcc: b\n\nx"},
		"verify.fr.txt:1: a text":        {"verify.fr.txt": "Subject:\n\nx"},
		"changed.txt:1: the subject has": {"changed.txt": "Subject: " + strings.Repeat("x", 201) + "\n\nx"},
		"no mail of this kind":           {"recovery.txt": good},
		"is no language":                 {"recover.deutsch!.txt": good},
		"has 0 bytes":                    {"recover.txt": ""},
		"has 65537 bytes":                {"recover.txt": strings.Repeat("x", 65537)},
		"writes more than":               {"recover.txt": good + `{{printf "%200000d" 1}}`},
	} {
		if _, err := LoadTemplates(folder(files)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}

func FuzzLanguages(f *testing.F) {
	templates := BuiltIn()
	f.Add("de-AT, en;q=0.8, *;q=0.1")
	f.Fuzz(func(t *testing.T, wish string) {
		got := Languages(wish)
		if len(got) > MaxLanguages || strings.ContainsAny(got, " \r\n\"\\") {
			t.Fatalf("%q becomes %q", wish, got)
		}
		if _, err := templates.Write(Recover, got, sample); err != nil {
			t.Fatal(err)
		}
		if _, err := templates.Write(Recover, wish, sample); err != nil {
			t.Fatal(err)
		}
	})
}
