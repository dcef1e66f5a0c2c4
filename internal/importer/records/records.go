// Package records reads account records as other systems have stored them, one on each line of a file:
//
//	{"system": "authme SHA256", "username": "Alice", "stored": {"password": "$SHA$0f1e…$b523…"}}
//
// It is an [importer.Source] of accounts without characters. Package scheme takes what is stored apart.
package records

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
	"github.com/rushgate/rushgate/internal/importer/jsonl"
	"github.com/rushgate/rushgate/internal/importer/scheme"
	"github.com/rushgate/rushgate/internal/recipe"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/textfile"
	"github.com/rushgate/rushgate/password"
)

// Source is a file of records. It is used by one goroutine at a time.
type Source struct {
	lines  *jsonl.File
	reader *scheme.Reader
}

// Open opens a file of records, to be taken apart by a set of schemes. It must be a regular file, since it is read
// twice.
func Open(path string, schemes *scheme.Set) (*Source, error) {
	lines, err := jsonl.Open(path)
	if err != nil {
		return nil, err
	}
	return &Source{lines, schemes.Reader()}, nil
}

// Close implements [importer.Source].
func (s *Source) Close() error { return s.lines.Close() }

// Key implements [importer.Source].
func (s *Source) Key(r importer.Ref) string { return r.Name }

// Repeats implements [importer.Source].
func (s *Source) Repeats() bool { return false }

// Scan implements [importer.Source].
func (s *Source) Scan(ctx context.Context, visit func(*importer.Found) error) error {
	return s.lines.Scan(ctx, func(l jsonl.Line) error {
		f := importer.Found{
			Ref:  importer.Ref{Kind: importer.AccountRecord, At: l.At, Line: l.Number},
			Done: l.Next, Total: s.lines.Size(), Err: l.Err, Cause: importer.Unreadable,
		}
		if f.Err != nil {
			return visit(&f)
		}
		r, err := parseLine(l.Text)
		if f.Err = err; err == nil {
			f.Name = r.name()
			f.Key = f.Name
			f.Account, _, f.Cause, f.Err = account(s.reader, r)
		}
		return visit(&f)
	})
}

// Fetch implements [importer.Source].
func (s *Source) Fetch(ctx context.Context, refs []importer.Ref) ([]importer.Record, error) {
	found := make([]importer.Record, len(refs))
	proofs := make([]*scheme.Proof, len(refs))
	for i, ref := range refs {
		line, err := s.lines.LineAt(ref.At)
		if err != nil {
			return nil, err
		}
		r, err := parseLine(line)
		if err != nil || r.name() != ref.Name {
			found[i] = importer.Record{Err: errMoved, Cause: importer.Gone}
			continue
		}
		found[i].Account, proofs[i], found[i].Cause, found[i].Err = account(s.reader, r)
	}
	return found, lockOpen(ctx, found, proofs)
}

var errMoved = errors.New("no longer where it was found: the file was changed meanwhile")

// quickly is what may be spent on finding out whether an account has an empty password.
const quickly = 2 * time.Millisecond

// lockOpen has no password open the accounts that an empty one did: a node takes none, and whoever comes first would be
// as good as the owner. It looks at those only for which that takes little; the others come from systems that ask for
// more.
func lockOpen(ctx context.Context, found []importer.Record, proofs []*scheme.Proof) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range proofs {
		if p == nil || found[i].Err != nil || p.Recipe.Cost() > quickly {
			continue
		}
		g.Go(func() error {
			if a := &found[i].Account; ctx.Err() == nil && p.Is("") {
				a.Weak, a.Locked = &importer.Weak{Digest: []byte(rand.Text())}, "it had an empty password"
				if p.Recipe.Plain() {
					a.Locked = "it had no password, or an empty one"
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// record is what counts of a line.
type record struct {
	scheme.Record
	as string // the name that the account will have, if it is to have another
}

// name is what the record is called here.
func (r *record) name() string {
	if r.as != "" {
		return r.as
	}
	return r.Username
}

var (
	errNotRecord = errors.New(`the line is not a JSON object with the texts "system" and "username", and "stored"`)
	errNotUTF8   = errors.New("the line has text that is not UTF-8")
)

// parseLine reads the fields of a line that count. Errors quote nothing of the line: there may be passwords in others.
func parseLine(line []byte) (*record, error) {
	line = bytes.TrimPrefix(line, []byte(textfile.Mark)) // as some editors put before the first
	if !utf8.Valid(line) {
		return nil, errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotRecord
	}
	var r record
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errNotRecord
		}
		key := name.(string) // or the decoder would have failed
		if seen[key] {
			return nil, fmt.Errorf("the line: %w", &strictjson.TwiceError{Name: key})
		}
		if err := r.take(d, key); err != nil {
			return nil, err
		}
		seen[key] = true
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, errNotRecord
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotRecord
	}
	// U+FFFD stands for what is not UTF-8 and for half a surrogate pair, and would make one name of several.
	switch {
	case r.Username == "" || !seen["system"] || r.Stored == nil:
		return nil, errNotRecord
	case strings.ContainsRune(r.Username, utf8.RuneError) || strings.ContainsRune(r.as, utf8.RuneError):
		return nil, errNotUTF8
	}
	return &r, nil
}

// take reads the value of a field.
func (r *record) take(d *json.Decoder, key string) error {
	var err error
	switch key {
	case "system":
		err = d.Decode(&r.System)
	case "username":
		err = d.Decode(&r.Username)
	case "as":
		err = d.Decode(&r.as)
	case "stored":
		var v any
		var twice *strictjson.TwiceError
		if v, err = strictjson.Value(d); errors.As(err, &twice) {
			return fmt.Errorf("\"stored\": %w", twice)
		}
		switch v := v.(type) {
		case map[string]any:
			r.Stored = v
		case string:
			r.Stored = map[string]any{"hash": v}
		}
	default:
		var other json.RawMessage
		err = d.Decode(&other)
	}
	if err != nil {
		return errNotRecord
	}
	return nil
}

// account returns the account of a record, and what proves its password; or why it is refused.
func account(schemes *scheme.Reader, r *record) (importer.Account, *scheme.Proof, importer.Cause, error) {
	name, err := rushgate.LoginName(r.name())
	if err != nil {
		return importer.Account{}, nil, importer.Malformed, err
	}
	proof, err := schemes.Recognise(r.Record)
	switch {
	case errors.Is(err, scheme.ErrUnknownSystem):
		return importer.Account{}, nil, importer.UnknownSystem, err
	case err != nil:
		return importer.Account{}, nil, importer.UnknownForm, err
	}
	a := importer.Account{
		Version: rushgate.AccountVersion, Name: name, Kind: proof.Scheme, Mark: proof.Scheme + "\x00" + r.Username,
	}
	a.Hash, a.Weak, err = hashOf(proof)
	if err != nil {
		return importer.Account{}, nil, importer.UnknownForm, err
	}
	return a, proof, "", nil
}

// hashOf returns what will be stored for a proof: a hash as it is, or one that is to be hardened.
func hashOf(p *scheme.Proof) (string, *importer.Weak, error) {
	if p.Recipe.Plain() && len(p.Digest) == 0 {
		return "", &importer.Weak{}, nil // see lockOpen
	}
	if p.Recipe.Plain() {
		canonical, exact, err := rushgate.LoginPassword(string(p.Digest))
		if err != nil {
			return "", nil, errors.New("a password in plain text that no client can send")
		}
		if canonical == "" {
			canonical = exact
		}
		return "", &importer.Weak{Digest: []byte(canonical)}, nil
	}
	if p.Recipe.Cost() < password.WeakBelow {
		return "", &importer.Weak{Recipe: p.Recipe.String(), Digest: p.Digest}, nil
	}
	if text := common(p); text != "" {
		return text, nil, nil
	}
	text, err := password.Keep(p.Recipe.String(), p.Digest)
	return text, nil, err
}

// common returns the text of a hash that nodes of older versions know, too; empty if there is none.
func common(p *scheme.Proof) string {
	function, salt, n, ok := p.Recipe.Direct()
	if !ok {
		return ""
	}
	var text string
	switch function {
	case "bcrypt":
		enc := recipe.BcryptEncoding
		text = fmt.Sprintf("$2b$%02d$%s%s", n[0], enc.EncodeToString(salt), enc.EncodeToString(p.Digest))
	case "argon2id":
		text = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", n[1], n[0], n[2], base64Raw(salt), base64Raw(p.Digest))
	default:
		return ""
	}
	if _, _, err := password.Describe(text); err != nil {
		return ""
	}
	return text
}
