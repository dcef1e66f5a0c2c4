// Package scheme knows how other systems store what proves a password: how a record of theirs is taken apart, and by
// which [recipe.Recipe] its digest was made. All of it is data, a file for each family of systems in families/; one
// that is not there can be described in a file of the operator's.
//
// # A family's file
//
// It is a JSON object with the family's name, what there is to say "about" it, its "schemes", and "vectors", records
// that real programs have written with the passwords that they are of, which are tried before the file is used.
//
//	{"name": "authme sha256", "systems": ["authme sha256", "authme"],
//	 "match": {"password|hash": "$SHA$<salt:word>$<digest:hex#32>"},
//	 "recipe": "sha256(hex(sha256(password)) + salt)"}
//
// "systems" are the words by which a record's system is recognised: all words of one of them have to be among the
// record's, and the scheme of which most are goes first. After "=" no other word may be among them. "*" is any system:
// for forms that tell what they are. "when" asks for a field of some value, or for the words of both in the system's
// name. "match" has a pattern for each field,
// under the names it may have; one that ends in "?" may be missing. See [compile] for patterns. What they bind is what
// the recipe's variables stand for, but for "digest", which is what the recipe is to make. "name" is the record's
// username unless a pattern binds it, "size" the length of the digest.
package scheme

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/rushgate/rushgate/internal/recipe"
	"github.com/rushgate/rushgate/internal/textfile"
)

const (
	maxFile    = 1 << 20
	maxSchemes = 256
	maxVectors = 64 // of a file of the operator's
)

//go:embed families/*.json
var files embed.FS

// Record is what another system has stored for a player.
type Record struct {
	System   string         `json:"system"`
	Username string         `json:"username"`
	Stored   map[string]any `json:"stored"`
}

// Family is a family of systems whose records are alike.
type Family struct {
	Family  string   `json:"family"`
	About   string   `json:"about"`
	Schemes []Scheme `json:"schemes"`
	Vectors []Vector `json:"vectors"`
}

// Scheme is one way in which a system stores what proves a password.
type Scheme struct {
	Name    string            `json:"name"`
	Systems []string          `json:"systems"`
	When    map[string]string `json:"when"`
	Match   map[string]any    `json:"match"`
	Recipe  string            `json:"recipe"`

	family  string
	aliases []alias // of Systems
	fields  []field
	recipe  *recipe.Recipe

	needs    int  // how many fields there have to be
	unsalted bool // it has one field, and no salt
	peppered bool // it takes a pepper
	isText   bool // it takes a column for the password itself
}

// alias is the words of a system that a scheme is of.
type alias struct {
	words []string
	only  bool // no other word may be there
}

// Vector is a record and the password that it is of.
type Vector struct {
	Record
	Password string `json:"password"`
}

// Proof is what a record holds: a digest, and how it is made of a password.
type Proof struct {
	// Scheme is the name of the scheme that was recognised.
	Scheme string
	Recipe *recipe.Recipe
	Digest []byte
}

// Is reports whether a password makes the digest.
func (p *Proof) Is(password string) bool {
	for i := range p.Recipe.Readings() {
		if bytes.Equal(p.Recipe.Make(i, password), p.Digest) {
			return true
		}
	}
	return false
}

// Set is the schemes that records are compared with. It is immutable, and may be used by many goroutines.
type Set struct{ families []*Family }

// Families returns the families, those of the operator's files first.
func (s *Set) Families() []*Family { return s.families }

// Builtin returns the schemes that come with the program.
var Builtin = sync.OnceValue(func() *Set {
	entries, err := files.ReadDir("families")
	if err != nil {
		panic("scheme: " + err.Error())
	}
	s := &Set{}
	for _, e := range entries {
		b, err := files.ReadFile("families/" + e.Name())
		if err != nil {
			panic("scheme: " + err.Error())
		}
		f, err := Parse(b)
		if err != nil {
			panic("scheme: " + e.Name() + ": " + err.Error())
		}
		s.families = append(s.families, f)
	}
	return s
})

// With returns the set with the families of files before its own. Their vectors are tried: a file of which one is not
// accepted, or accepted with another password too, is refused.
func (s *Set) With(paths ...string) (*Set, error) {
	all := &Set{}
	for _, path := range paths {
		b, err := ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		f, err := Parse(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all.families = append(all.families, f)
	}
	all.families = append(all.families, s.families...)
	for i, path := range paths {
		if err := all.try(all.families[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

// ReadFile returns what is in a file of the operator's that describes other systems, without a mark of the byte order;
// the error says so of one that is larger than such a file may be, or in UTF-16.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	if err != nil {
		return nil, err
	}
	return textfile.Text(b)
}

// Parse reads a family's file.
func Parse(b []byte) (*Family, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	var f Family
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("not the JSON of a family: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	if f.Family == "" || len(f.Schemes) == 0 || len(f.Schemes) > maxSchemes {
		return nil, fmt.Errorf("not a family of a name with 1 to %d schemes", maxSchemes)
	}
	for i := range f.Schemes {
		s := &f.Schemes[i]
		s.family = f.Family
		if err := s.compile(); err != nil {
			return nil, fmt.Errorf("scheme %q: %w", cmp.Or(s.Name, fmt.Sprint(i+1)), err)
		}
	}
	return &f, nil
}

func (s *Scheme) compile() (err error) {
	if s.Name == "" || len(s.Systems) == 0 {
		return errors.New("it needs a name, and systems that it is of")
	}
	for _, system := range s.Systems {
		exact, only := strings.CutPrefix(system, "=")
		alias := alias{words(exact), only}
		if len(alias.words) == 0 && system != "*" {
			return fmt.Errorf("the system %q has no letters or digits", system)
		}
		s.aliases = append(s.aliases, alias)
	}
	if s.recipe, err = recipe.Parse(s.Recipe); err != nil {
		return err
	}
	if s.fields, err = compileFields(s.Match); err != nil {
		return err
	}
	bound := []string{"name", "size"}
	for i := range s.fields {
		bound = append(bound, s.fields[i].names()...)
		if !s.fields[i].optional {
			s.needs++
		}
	}
	s.unsalted = !slices.Contains(bound, "salt") && len(s.fields) == 1
	s.peppered = slices.Contains(bound, "pepper")
	s.isText = s.bare()
	if !slices.Contains(bound, "digest") {
		return errors.New("no pattern binds digest")
	}
	for _, name := range s.recipe.Variables() {
		if !slices.Contains(bound, name) {
			return fmt.Errorf("no pattern binds %s", name)
		}
	}
	return nil
}

// try tells whether a family's vectors are what they say.
func (s *Set) try(f *Family) error {
	if len(f.Vectors) == 0 || len(f.Vectors) > maxVectors {
		return fmt.Errorf("it needs 1 to %d vectors, records with their passwords to try the schemes with", maxVectors)
	}
	for i := range f.Vectors {
		v := &f.Vectors[i]
		p, err := s.Recognise(v.Record)
		switch {
		case err != nil:
			return fmt.Errorf("vector %d: %w", i+1, err)
		case !p.Is(v.Password):
			return fmt.Errorf("vector %d: %s does not accept the password", i+1, p.Scheme)
		case p.Is("another " + v.Password):
			return fmt.Errorf("vector %d: %s accepts another password", i+1, p.Scheme)
		}
	}
	return nil
}

// words returns the words and the numbers of a system's name, in lower case.
func words(s string) []string {
	var all []string
	last := ' '
	for _, r := range strings.ToLower(s) {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			last = ' '
			continue
		case last == ' ' || unicode.IsDigit(r) != unicode.IsDigit(last):
			all = append(all, "")
		}
		all[len(all)-1] += string(r)
		last = r
	}
	return all
}

// Functions returns a line for each function that recipes can call: how it is called, a tab, and what it makes.
func Functions() []string { return recipe.Functions() }

// Errors of records.
var (
	// ErrUnknownSystem is wrapped by the error for a record of a system that no scheme is of, in a form that does not tell
	// by itself what it is.
	ErrUnknownSystem = errors.New("no scheme is known for this system")
	// ErrUnknownForm is wrapped by the error for a record that is not as its system writes it.
	ErrUnknownForm = errors.New("not in a form that this system is known to write")
)

// candidate is a scheme that a record may be of.
type candidate struct {
	scheme *Scheme
	score  int // see [Scheme.score]
}

// Reader takes records apart, and remembers which schemes are of which systems. It is used by one goroutine at a time.
type Reader struct {
	set     *Set
	known   map[string]*system
	advised int // see maxAdvice
}

// system is what a reader remembers of a system.
type system struct {
	words      []string
	candidates []candidate
}

// maxKnown is how many systems a reader remembers: a file may name another one on each line.
const maxKnown = 256

// Reader returns a new reader.
func (s *Set) Reader() *Reader { return &Reader{set: s, known: make(map[string]*system)} }

func (r *Reader) system(name string) *system {
	if known, ok := r.known[name]; ok {
		return known
	}
	sys := &system{words: words(name)}
	for _, f := range r.set.families {
		for i := range f.Schemes {
			if score := f.Schemes[i].score(sys.words); score >= 0 {
				sys.candidates = append(sys.candidates, candidate{&f.Schemes[i], score})
			}
		}
	}
	slices.SortStableFunc(sys.candidates, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	r.known[name] = sys
	return sys
}

// Recognise takes a record apart. Errors hold nothing of what is stored.
func (s *Set) Recognise(r Record) (*Proof, error) { return s.Reader().Recognise(r) }

// Recognise takes a record apart. Errors hold nothing of what is stored.
func (r *Reader) Recognise(record Record) (*Proof, error) {
	sys := r.system(record.System)
	stored := unwrap(record.Stored)
	err := ErrUnknownSystem
	if len(sys.candidates) > 0 && sys.candidates[0].score > 0 {
		err = ErrUnknownForm
	}
	known := err
	var plain *Proof
	for _, c := range sys.candidates {
		p, why := c.scheme.read(record, sys.words, stored)
		if why == nil && c.scheme.isText {
			why = refuseHash(sys.words, p.Digest)
		}
		switch {
		case why == nil && p.Recipe.Plain() && len(p.Digest) > 0 && plain == nil:
			plain = p // unless it is a hash that tells what it is
		case why == nil && (plain == nil || c.score == 0 && !p.Recipe.Plain()):
			return p, nil
		case errors.Is(why, ErrUnknownForm):
			err = why
		case why != nil && !errors.Is(why, errNoFit):
			err = fmt.Errorf("%w: as %s: %w", known, c.scheme.Name, why)
		}
	}
	if plain != nil {
		return plain, nil
	}
	if err == known { //nolint:errorlint // nothing was added to it
		if f := formIn(stored); f != nil {
			err = fmt.Errorf("%w: it is %s", known, f.about)
		}
		err = r.advise(err, record, sys.words, stored)
	}
	return nil, err
}

// maxAdvice is of how many records a reader says what their system may be, which takes longer than all else: a report
// has no more of them. maxAdvised is how many systems it names of one.
const (
	maxAdvice  = 1000
	maxAdvised = 6
)

// advise adds to an error as what the system could be written, so that the form of a record is known.
func (r *Reader) advise(err error, record Record, system []string, stored map[string]any) error {
	if r.advised++; r.advised > maxAdvice {
		return err
	}
	var named, others []string
	for _, f := range r.set.families {
		for i := range f.Schemes {
			s := &f.Schemes[i]
			for n, a := range s.aliases {
				shared := len(a.words) > 0 && slices.Contains(system, a.words[0])
				unsalted := len(a.words) > 0 && a.words[0] == "unsalted"
				if !shared && !unsalted || a.only || s.recipe.Plain() {
					continue
				}
				as := s.Systems[n]
				for field, want := range s.When {
					first, _, _ := strings.Cut(field, "|")
					as += " " + first + " " + want
				}
				if _, why := s.read(record, words(as), stored); why != nil {
					continue
				}
				if shared {
					named = append(named, strconv.Quote(as))
				} else {
					others = append(others, strconv.Quote(as))
				}
				break
			}
		}
	}
	if len(named) == 0 {
		named = others
	}
	if len(named) == 0 {
		return err
	}
	named = named[:min(len(named), maxAdvised)]
	return fmt.Errorf("%w; it is if the system is meant to be %s", err, strings.Join(named, " or "))
}

// score returns how many of a system's words name the scheme, -1 if none of its systems is that.
func (s *Scheme) score(system []string) int {
	best := -1
	for _, a := range s.aliases {
		missing := func(word string) bool { return !slices.Contains(system, word) }
		if !slices.ContainsFunc(a.words, missing) && (!a.only || len(a.words) == len(system)) {
			best = max(best, len(a.words))
		}
	}
	return best
}

// unwrap returns the fields of a record that has them one level down.
func unwrap(stored map[string]any) map[string]any {
	for len(stored) == 1 {
		for _, v := range stored {
			if list, ok := v.([]any); ok && len(list) == 1 {
				v = list[0]
			}
			inner, ok := v.(map[string]any)
			if !ok {
				return stored
			}
			stored = inner
		}
	}
	return stored
}

var (
	errNoFit  = errors.New("another form")
	errSalted = errors.New("there is a salt, which it would be without")
	// errPepper is also for a pepper that is nowhere in the record.
	errPepper = errors.New(`there is a pepper, which it would be without: say how it goes in, as by "peppered bcrypt", ` +
		`and have it in the column "pepper"`)
)

// read takes a record apart that is of a system of the scheme.
func (s *Scheme) read(r Record, system []string, stored map[string]any) (*Proof, error) {
	for field, want := range s.When {
		names := strings.Split(field, "|")
		got, there := lookUp(stored, names)
		text, isText := textOf(got)
		said := slices.Equal(words(text), words(want))
		if there && isText && !said || (!there || !isText) && !follows(system, words(names[0]+" "+want)) {
			return nil, errNoFit
		}
	}
	values := map[string]recipe.Value{"name": recipe.Bytes([]byte(r.Username))}
	var digest []byte
	for i := range s.fields {
		if !s.fields[i].read(stored, s.needs == 1, values, &digest) {
			return nil, errNoFit
		}
	}
	if err := s.leaves(system, stored); err != nil {
		return nil, err
	}
	values["size"] = recipe.Number(len(digest))
	bound, err := s.recipe.Bind(values)
	switch {
	case err != nil:
		return nil, err
	case bound.Size() >= 0 && bound.Size() != len(digest):
		return nil, fmt.Errorf("the digest has %d bytes, not %d", len(digest), bound.Size())
	case len(digest) == 0 && !bound.Plain():
		return nil, errors.New("the digest is empty")
	}
	return &Proof{Scheme: s.Name, Recipe: bound, Digest: digest}, nil
}

// leaves returns an error if a record has a salt or a pepper that the scheme would leave out, or is said to have one.
func (s *Scheme) leaves(system []string, stored map[string]any) error {
	there := func(field string) bool {
		v, ok := lookUp(stored, []string{field})
		return ok && !slices.Contains([]any{nil, "", false}, v)
	}
	said := func(word string) bool {
		known := slices.ContainsFunc(s.aliases, func(a alias) bool { return slices.Contains(a.words, word) })
		return slices.Contains(system, word) && !known
	}
	switch {
	case s.unsalted && (there("salt") || slices.Contains(system, "salted")):
		return errSalted
	case !s.peppered && (there("pepper") || said("pepper") || said("peppered")):
		return errPepper
	}
	return nil
}

// follows reports whether words follow each other among those of a system.
func follows(system, wanted []string) bool {
	for i := range system {
		if len(system)-i >= len(wanted) && slices.Equal(system[i:i+len(wanted)], wanted) {
			return true
		}
	}
	return false
}
