package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"slices"
	"strings"
	texttemplate "text/template"
	"unicode"

	"golang.org/x/text/language"
)

// Kind is what a mail is about. It is the name of its template.
type Kind string

// The kinds of mail.
const (
	// Recover has the code with which a player who has lost the password chooses another.
	Recover Kind = "recover"
	// Verify has the code with which a player proves to read the mail of an address.
	Verify Kind = "verify"
	// Changed tells the reader of an address that it is no longer that of an account.
	Changed Kind = "changed"
	// FactorGone tells a player that an operator has taken the second factor of the account away.
	FactorGone Kind = "second-factor"
)

var kinds = []Kind{Recover, Verify, Changed, FactorGone}

// Kinds returns the kinds of mail.
func Kinds() []Kind { return slices.Clone(kinds) }

const (
	// maxTemplate bounds the file of a template, maxText what comes of one, and maxSubject its subject; in bytes.
	maxTemplate = 64 << 10
	maxText     = 128 << 10
	maxSubject  = 200
	// maxTemplates is how many files with templates are read.
	maxTemplates = 500
	// maxWish bounds what is looked at of a wish for languages, in bytes, and MaxLanguages what comes of it.
	maxWish      = 512
	MaxLanguages = 64
)

// Values is what a template can put into a mail. Control characters of all of them are left out, and an HTML template
// escapes them as it has to where they stand.
type Values struct {
	// Server is what the players call the game.
	Server string
	// Username is the account's. A reader of [Verify] may have nothing to do with the account, whose name is what its
	// player likes: a name that looks like an address on the web becomes a link in the mail.
	Username string
	// Code is what the player is to type; a secret.
	Code string
	// Minutes is for how long the code is good.
	Minutes int
}

// sample stands for values when templates are tried out.
var sample = Values{Server: "Rushgate", Username: "alice", Code: "7K2M-QX9D-4HPT", Minutes: 15}

//go:embed templates
var builtIn embed.FS

// Templates are the texts of all mail, by kind and language. They are safe for concurrent use.
type Templates struct{ byKind map[Kind]*translations }

// translations are the texts of one kind.
type translations struct {
	other      texts // for readers of no language that there is
	translated []texts
	matcher    language.Matcher // of those that are translated
}

type texts struct {
	plain *texttemplate.Template
	html  *template.Template // nil: none
}

// BuiltIn returns the templates that need no folder.
func BuiltIn() *Templates {
	t, err := LoadTemplates(nil)
	if err != nil {
		panic(err) // they are part of the program
	}
	return t
}

// LoadTemplates reads templates from the top of a folder; nil stands for an empty one. KIND.txt is for readers of no
// language that there is, KIND.LANGUAGE.txt for those of one, such as recover.de.txt, and beside either there may be
// the same in HTML, such as recover.de.html. A text begins with a line "Subject: ..." and an empty one. Of a kind
// without KIND.txt there is that of the program.
//
// Each template is tried out: the error names the file, and the line where it knows it.
func LoadTemplates(dir fs.FS) (*Templates, error) {
	files, err := read(dir)
	if err != nil {
		return nil, fmt.Errorf("mail: templates: %w", err)
	}
	t := &Templates{byKind: make(map[Kind]*translations)}
	for _, kind := range kinds {
		if t.byKind[kind], err = translate(kind, files); err != nil {
			return nil, fmt.Errorf("mail: templates: %w", err)
		}
	}
	return t, nil
}

// file names a template.
type file struct {
	kind Kind
	tag  string // of the language; empty for none
	html bool
}

func (f file) String() string {
	name := string(f.kind)
	if f.tag != "" {
		name += "." + f.tag
	}
	if f.html {
		return name + ".html"
	}
	return name + ".txt"
}

// read returns the templates of a folder, and those of the program that it has none in place of.
func read(dir fs.FS) (map[file]string, error) {
	files := make(map[file]string)
	if dir != nil {
		if err := readInto(files, dir); err != nil {
			return nil, err
		}
	}
	for _, kind := range kinds {
		if _, own := files[file{kind: kind}]; own {
			continue
		}
		text, err := builtIn.ReadFile("templates/" + file{kind: kind}.String())
		if err != nil {
			return nil, err
		}
		files[file{kind: kind}] = string(text)
	}
	for f := range files {
		if text := (file{kind: f.kind, tag: f.tag}); f.html && files[text] == "" {
			return nil, fmt.Errorf("%v: there is no %v beside it, for readers who see no HTML", f, text)
		}
	}
	return files, nil
}

func readInto(files map[file]string, dir fs.FS) error {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".txt" && ext != ".html" {
			continue
		}
		f, err := parseName(strings.TrimSuffix(e.Name(), ext))
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
		f.html = ext == ".html"
		text, err := fs.ReadFile(dir, e.Name())
		switch {
		case err != nil:
			return err
		case len(text) == 0 || len(text) > maxTemplate:
			return fmt.Errorf("%s: it has %d bytes, want 1 to %d", e.Name(), len(text), maxTemplate)
		case len(files) >= maxTemplates:
			return fmt.Errorf("there are more than %d", maxTemplates)
		}
		files[f] = string(text)
	}
	return nil
}

// parseName reads what a file is called, without its extension.
func parseName(name string) (file, error) {
	kind, tag, tagged := strings.Cut(name, ".")
	f := file{kind: Kind(kind), tag: tag}
	if !slices.Contains(kinds, f.kind) {
		return f, fmt.Errorf("there is no mail of this kind, only %q", kinds)
	}
	if !tagged {
		return f, nil
	}
	if _, err := language.Parse(tag); err != nil || tag == "und" {
		return f, fmt.Errorf("%q is no language, such as en or pt-BR", tag)
	}
	return f, nil
}

// translate parses and tries out the texts of a kind.
func translate(kind Kind, files map[file]string) (*translations, error) {
	var tags []string
	for f := range files {
		if f.kind == kind && !f.html && f.tag != "" {
			tags = append(tags, f.tag)
		}
	}
	slices.Sort(tags)
	t := new(translations)
	var err error
	if t.other, err = parse(file{kind: kind}, files); err != nil {
		return nil, err
	}
	var known []language.Tag
	for _, tag := range tags {
		parsed, err := parse(file{kind: kind, tag: tag}, files)
		if err != nil {
			return nil, err
		}
		t.translated, known = append(t.translated, parsed), append(known, language.Make(tag))
	}
	t.matcher = language.NewMatcher(known)
	return t, nil
}

func parse(f file, files map[file]string) (t texts, err error) {
	if t.plain, err = texttemplate.New(f.String()).Parse(files[f]); err != nil {
		return t, err
	}
	f.html = true
	if text, ok := files[f]; ok {
		if t.html, err = template.New(f.String()).Parse(text); err != nil {
			return t, err
		}
	}
	_, err = t.write(sample)
	return t, err
}

// Languages returns what a wish in the form of an Accept-Language header comes to: tags with commas between them, the
// best first, [MaxLanguages] bytes at most; empty if there is none.
func Languages(wish string) string {
	if len(wish) > maxWish {
		return ""
	}
	wanted, _, err := language.ParseAcceptLanguage(wish)
	if err != nil {
		return ""
	}
	out := ""
	for _, tag := range wanted {
		next := strings.TrimPrefix(out+","+tag.String(), ",")
		if len(next) > MaxLanguages {
			break
		}
		out = next
	}
	return out
}

// Write makes a mail of a kind, without its To, in the language that fits best of those that [Languages] has returned,
// here or on a node that has other templates.
func (t *Templates) Write(kind Kind, languages string, v Values) (Message, error) {
	of, ok := t.byKind[kind]
	if !ok {
		return Message{}, fmt.Errorf("mail: there is no template %q", kind)
	}
	chosen := of.choose(languages)
	m, err := chosen.write(v)
	if err != nil {
		return Message{}, fmt.Errorf("mail: template %s: %w", chosen.plain.Name(), errNotWritten)
	}
	return m, nil
}

// choose returns the texts in the language that fits best, or those for readers of no language that there is.
func (t *translations) choose(languages string) texts {
	wanted, _, err := language.ParseAcceptLanguage(languages)
	if err != nil || len(languages) > MaxLanguages || len(t.translated) == 0 {
		return t.other
	}
	_, i, confidence := t.matcher.Match(wanted...)
	if confidence < language.High {
		return t.other
	}
	return t.translated[i]
}

// errNotWritten stands for what a template has failed with, which may quote the values.
var errNotWritten = errors.New("cannot be filled in")

// write fills the templates in. What comes before the first empty line of the text is its header.
func (t texts) write(v Values) (m Message, err error) {
	v.Server, v.Username, v.Code = printable(v.Server), printable(v.Username), printable(v.Code)
	text := bounded{name: t.plain.Name()}
	if err := t.plain.Execute(&text, v); err != nil {
		return m, err
	}
	header, body, found := strings.Cut(strings.ReplaceAll(text.String(), "\r\n", "\n"), "\n\n")
	subject, ok := strings.CutPrefix(header, "Subject:")
	if !found || !ok || strings.Contains(subject, "\n") || strings.TrimSpace(subject) == "" || !isText(body) {
		return m, fmt.Errorf("%s:1: a text begins with one line \"Subject: ...\" and an empty line, and has no control "+
			"characters", t.plain.Name())
	}
	m.Subject, m.Text = printable(subject), body
	if len(m.Subject) > maxSubject {
		return m, fmt.Errorf("%s:1: the subject has %d bytes, more than %d", t.plain.Name(), len(m.Subject), maxSubject)
	}
	if t.html == nil {
		return m, nil
	}
	html := bounded{name: t.html.Name()}
	if err := t.html.Execute(&html, v); err != nil {
		return m, err
	}
	m.HTML = html.String()
	return m, nil
}

// printable leaves out of a value what no line has: control characters, and those that turn the direction of what
// follows, or are not seen. Spaces at its ends go too.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}

// isText reports whether a body has no control characters but line breaks and tabs.
func isText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
}

// bounded is a buffer for what a template writes.
type bounded struct {
	bytes.Buffer
	name string
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxText {
		return 0, fmt.Errorf("%s: it writes more than %d bytes", b.name, maxText)
	}
	return b.Buffer.Write(p)
}
