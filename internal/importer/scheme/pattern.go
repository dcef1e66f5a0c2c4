package scheme

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate/internal/recipe"
	"github.com/rushgate/rushgate/internal/strictjson"
)

// maxField is the greatest length of a field that a pattern is compared with.
const maxField = 8 << 10

// field is a field of a record: the names that it may have, and what it has to be.
type field struct {
	as       []string
	optional bool
	pattern  *pattern // of a text
	inner    []field  // of an object, or of the JSON of one
}

func compileFields(match map[string]any) ([]field, error) {
	if len(match) == 0 {
		return nil, errors.New("nothing to match")
	}
	var fields []field
	for _, key := range slices.Sorted(maps.Keys(match)) {
		names, optional := strings.CutSuffix(key, "?")
		f := field{as: strings.Split(names, "|"), optional: optional}
		if slices.Contains(f.as, "hash") {
			f.as = append(f.as, hashNames...)
		}
		var err error
		switch v := match[key].(type) {
		case string:
			f.pattern, err = compile(v)
		case map[string]any:
			f.inner, err = compileFields(v)
		default:
			err = errors.New("neither a pattern nor an object of patterns")
		}
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", key, err)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// names returns what the field's patterns bind.
func (f *field) names() []string {
	if f.pattern != nil {
		return f.pattern.names()
	}
	var all []string
	for i := range f.inner {
		all = append(all, f.inner[i].names()...)
	}
	return all
}

// read binds what a record has in the field. The one field of a record may have any name, if no other is needed.
func (f *field) read(stored map[string]any, alone bool, values map[string]recipe.Value, digest *[]byte) bool {
	v, ok := lookUp(stored, f.as)
	if !ok && alone && len(stored) == 1 && f.pattern != nil && !f.optional {
		for _, v = range stored {
			ok = true
		}
	}
	if !ok && f.optional {
		f.leaveEmpty(values)
		return true
	}
	if !ok {
		return false
	}
	if f.pattern != nil {
		text, isText := textOf(v)
		return isText && f.pattern.read(text, values, digest)
	}
	inner, ok := objectOf(v)
	if !ok {
		return false
	}
	for i := range f.inner {
		if !f.inner[i].read(inner, false, values, digest) {
			return false
		}
	}
	return true
}

// leaveEmpty binds what a field that is missing would have bound, but for what has a value otherwise.
func (f *field) leaveEmpty(values map[string]recipe.Value) {
	for _, name := range f.names() {
		if _, ok := values[name]; !ok {
			values[name] = recipe.Bytes(nil)
		}
	}
}

// lookUp returns a field by the names that it may have. The name of a table before a dot, what stands in brackets after
// it, underscores and the case do not count.
func lookUp(stored map[string]any, as []string) (any, bool) {
	for _, name := range as {
		if v, ok := stored[name]; ok {
			return v, true
		}
	}
	keys := slices.Sorted(maps.Keys(stored))
	for _, key := range keys {
		short, _, _ := strings.Cut(key, "(")
		short = plainName(strings.TrimSpace(short[strings.LastIndexByte(short, '.')+1:]))
		for _, name := range as {
			if strings.EqualFold(short, plainName(name)) {
				return stored[key], true
			}
		}
	}
	return nil, false
}

func plainName(s string) string { return strings.ReplaceAll(s, "_", "") }

// hashNames are what a field is called as well that may be called "hash".
var hashNames = []string{
	"password_hash", "hashed_password", "encrypted_password", "password_encrypted", "crypted_password", "password_digest",
	"pass_hash", "pw_hash", "pw_bcrypt", "user_password_hash", "userPassword", "authentication_string", "hash_value",
}

// textOf returns a field's text: that of a number as it is written, that of null empty. A list of one is what it holds.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return bytea(v), len(v) <= maxField
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case []any:
		if len(v) == 1 {
			return textOf(v[0])
		}
	}
	return "", false
}

// bytea returns what PostgreSQL writes as \x and hexadecimal if it is a text.
func bytea(s string) string {
	digits, ok := strings.CutPrefix(s, `\x`)
	if !ok {
		return s
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) == 0 || bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s
	}
	return string(b)
}

// objectOf returns a field's object, also if it is JSON in a text. There is none if a name is in the text twice.
func objectOf(v any) (map[string]any, bool) {
	if text, ok := v.(string); ok {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if len(text) > maxField {
			return nil, false
		}
		var err error
		if v, err = strictjson.Value(d); err != nil {
			return nil, false
		}
	}
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	object, ok := v.(map[string]any)
	return object, ok
}

// pattern is a text with places that differ from record to record.
type pattern struct {
	whole  *regexp.Regexp
	places []place
	all    bool // it is one place, and no text that has to be there
}

// place is one that differs: what it binds, and what is written there.
type place struct {
	name, kind string
	length     int // of the text, or of the bytes that it stands for; 0 for any
	filters    []filter
}

// filter changes the bytes of a place.
type filter struct {
	name string // reverse, pad, rest, take, until, int, starts or text
	n    int    // bytes
	to   string // the name that they, or the text, are bound to; of starts, what there has to be
	mark string // of until, what ends them
}

// kinds are how bytes and numbers are written: the characters, and what they stand for.
var kinds = map[string]struct {
	characters string // an expression of package regexp
	decode     func(string) ([]byte, bool)
	number     func(string) (int, bool)
}{
	// A text ends where the character that follows in the pattern comes first.
	"text":    {"", asIs, nil},
	"word":    {"", asIs, nil}, // the same, but not empty
	"nothing": {`(?:)`, asIs, nil},
	"ctext":   {`[./0-9A-Za-z]+`, asIs, nil},
	"hex":     {`(?:0[xX]|\\x)?(?:[0-9A-Fa-f]{2})*`, decodeHex, nil},
	"hexnum":  {`(?:0[xX]|\\x)?[0-9A-Fa-f]+`, decodeHexNumber, nil},
	"dashhex": {`[0-9A-Fa-f]{2}(?:-?[0-9A-Fa-f]{2})*`, decodeDashed, nil},
	"base64":  {`[-+/_.0-9A-Za-z]*={0,2}`, decodeBase64, nil},
	"bcsalt":  {`[./0-9A-Za-z]{22}`, decodeBcrypt(22, 16), nil},
	"bchash":  {`[./0-9A-Za-z]{31}`, decodeBcrypt(31, 23), nil},
	"itoa":    {`[./0-9A-Za-z]+`, decodeItoa, nil},
	"des":     {`[./0-9A-Za-z]{11}`, decodeDES, nil},
	"des8":    {`[./0-9A-Za-z]{8}`, decodeDES, nil}, // what programs keep of it that cut the text after ten characters
	"md5":     {`[./0-9A-Za-z]{22}`, decodeCrypt(md5Order), nil},
	"sha1":    {`[./0-9A-Za-z]{28}`, decodeCrypt(sha1Order), nil},
	"sha256":  {`[./0-9A-Za-z]{43}`, decodeCrypt(sha256Order), nil},
	"sha512":  {`[./0-9A-Za-z]{86}`, decodeCrypt(sha512Order), nil},

	"int":   {`[0-9]{1,9}`, nil, decodeInt},
	"xint":  {`[0-9a-fA-F]{1,7}`, nil, decodeHexInt},
	"pow2":  {`[0-9]{1,9}`, nil, decodePowerOfTwo},
	"itoa1": {`[./0-9A-Za-z]`, nil, decodeItoaNumber},
	"itoa4": {`[./0-9A-Za-z]{4}`, nil, decodeItoaNumber},
	"itoa5": {`[./0-9A-Za-z]{5}`, nil, decodeItoaNumber},
}

// compile reads a pattern: text that has to be there as it is, and places in angle brackets, each with a name, a colon,
// and how it is written:
//
//	<digest:hex#32>                  32 bytes in hexadecimal
//	<digest:base64|rest=salt#20>     bytes in base64, of which those after the 20th are the salt
//	<digest:hexnum|pad#64>           a number in hexadecimal, as 64 bytes
//	<digest:hex#32|reverse>          the lowest byte first
//	<digest:base64|starts=01|int=iterations#4|take=salt#16>
//	                                 after a byte of 1, four that are a number, sixteen of salt, and the rest
//	<after:base64|until=before:7b7d> what is before "{}" in bytes in base64, and what is after it
//	<salt:bcsalt|text=written>       the salt, and as what it is written
func compile(s string) (*pattern, error) {
	p := &pattern{all: s != "" && strings.IndexByte(s, '>') == len(s)-1 && s[0] == '<'}
	var expression strings.Builder
	expression.WriteString("(?s)^")
	for s != "" {
		before, after, ok := strings.Cut(s, "<")
		expression.WriteString(literal(before))
		if !ok {
			break
		}
		inside, rest, ok := strings.Cut(after, ">")
		if !ok {
			return nil, errors.New("a < without a >")
		}
		pl, err := parsePlace(inside)
		if err != nil {
			return nil, fmt.Errorf("<%s>: %w", inside, err)
		}
		if slices.ContainsFunc(p.places, func(q place) bool { return q.name == pl.name }) {
			return nil, fmt.Errorf("<%s>: the name is there twice", inside)
		}
		p.places = append(p.places, pl)
		expression.WriteString("(" + pl.characters(rest) + ")")
		s = rest
	}
	expression.WriteString("$")
	var err error
	p.whole, err = regexp.Compile(expression.String())
	return p, err
}

// literal returns the expression of a text that has to be there. Of a name in braces, such as LDAP's {SSHA}, the case
// does not count.
func literal(s string) string {
	if name, rest, ok := strings.Cut(s, "}"); ok && strings.HasPrefix(name, "{") {
		return "(?i:" + regexp.QuoteMeta(name+"}") + ")" + regexp.QuoteMeta(rest)
	}
	return regexp.QuoteMeta(s)
}

func parsePlace(s string) (place, error) {
	parts := strings.Split(s, "|")
	name, kind, _ := strings.Cut(parts[0], ":")
	kind, length, bounded := strings.Cut(kind, "#")
	p := place{name: name, kind: kind}
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") != "" {
		return place{}, errors.New("a name of lower-case letters was expected")
	}
	k, ok := kinds[kind]
	if !ok {
		return place{}, fmt.Errorf("it may be one of %s", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	if bounded {
		n, err := strconv.Atoi(length)
		if err != nil || n < 1 || n > 1024 || k.number != nil {
			return place{}, errors.New("a length from 1 to 1024 was expected after #, and none for a number")
		}
		p.length = n
	}
	for _, text := range parts[1:] {
		f, err := parseFilter(text)
		if err != nil {
			return place{}, err
		}
		if k.number != nil && f.name != "text" {
			return place{}, errors.New("a number has no filters but text=NAME")
		}
		p.filters = append(p.filters, f)
	}
	return p, nil
}

func parseFilter(s string) (filter, error) {
	name, n, _ := strings.Cut(s, "#")
	name, to, _ := strings.Cut(name, "=")
	f := filter{name: name, to: to}
	f.n, _ = strconv.Atoi(n)
	some := f.n >= 1 && f.n <= 512
	switch {
	case name == "reverse" && n == "" && to == "":
	case name == "pad" && some && to == "":
	case (name == "rest" || name == "take") && some && to != "":
	case name == "int" && some && f.n <= 4 && to != "":
	case name == "text" && n == "" && to != "":
	case name == "until" && n == "" && to != "":
		to, mark, _ := strings.Cut(to, ":")
		b, err := hex.DecodeString(mark)
		if err != nil || len(b) == 0 || to == "" {
			return filter{}, errors.New("what follows until= is not a name, a colon and hexadecimal")
		}
		f.to, f.mark = to, string(b)
	case name == "starts" && n == "" && to != "":
		b, err := hex.DecodeString(to)
		if err != nil {
			return filter{}, errors.New("what follows starts= is not hexadecimal")
		}
		f.to = string(b)
	default:
		return filter{}, errors.New(
			"a filter is reverse, pad#N, rest=NAME#N, take=NAME#N, until=NAME:HEX, int=NAME#N, starts=HEX or text=NAME")
	}
	return f, nil
}

// characters returns the expression of what may stand in a place, before the rest of a pattern.
func (p *place) characters(rest string) string {
	c := kinds[p.kind].characters
	switch {
	case p.kind == "ctext" && p.length > 0:
		return fmt.Sprintf("%s{%d}", strings.TrimSuffix(c, "+"), p.length)
	case c != "":
		return c
	}
	one := "."
	if rest != "" && rest[0] != '<' {
		one = "[^" + regexp.QuoteMeta(rest[:1]) + "]"
	}
	if p.kind == "word" {
		return one + "+"
	}
	return one + "*"
}

func (p *pattern) names() []string {
	var names []string
	for _, pl := range p.places {
		names = append(names, pl.name)
		for _, f := range pl.filters {
			if f.to != "" && f.name != "starts" {
				names = append(names, f.to)
			}
		}
	}
	return names
}

// read binds the places of a text, if it is as the pattern says.
func (p *pattern) read(text string, values map[string]recipe.Value, digest *[]byte) bool {
	found := p.whole.FindStringSubmatch(text)
	if found == nil {
		return false
	}
	for i := range p.places {
		if !p.places[i].read(found[i+1], values, digest) {
			return false
		}
	}
	return true
}

func (p *place) read(text string, values map[string]recipe.Value, digest *[]byte) bool {
	k := kinds[p.kind]
	if k.number != nil {
		n, ok := k.number(text)
		values[p.name] = recipe.Number(n)
		for _, f := range p.filters { // what is written, which is hashed as well
			values[f.to] = recipe.Bytes([]byte(text))
		}
		return ok
	}
	b, ok := k.decode(text)
	if !ok || p.length > 0 && len(b) != p.length {
		return false
	}
	for _, f := range p.filters {
		if b, ok = f.apply(b, text, values); !ok {
			return false
		}
	}
	if p.name == "digest" {
		*digest = b
	} else {
		values[p.name] = recipe.Bytes(b)
	}
	return true
}

// apply changes the bytes of a place that is written as text, and binds what it takes from them.
func (f *filter) apply(b []byte, text string, values map[string]recipe.Value) ([]byte, bool) {
	switch f.name {
	case "reverse":
		slices.Reverse(b)
		return b, true
	case "text":
		values[f.to] = recipe.Bytes([]byte(text))
		return b, true
	case "starts":
		return bytes.CutPrefix(b, []byte(f.to))
	case "until":
		head, tail, ok := bytes.Cut(b, []byte(f.mark))
		values[f.to] = recipe.Bytes(head)
		return tail, ok
	case "pad":
		b = bytes.TrimLeft(b, "\x00")
		if len(b) > f.n {
			return nil, false
		}
		return append(make([]byte, f.n-len(b)), b...), true
	}
	if len(b) < f.n {
		return nil, false
	}
	head, tail := b[:f.n], b[f.n:]
	switch f.name {
	case "rest":
		values[f.to] = recipe.Bytes(tail)
		return head, true
	case "take":
		values[f.to] = recipe.Bytes(head)
	case "int":
		n := 0
		for _, c := range head {
			n = n<<8 | int(c)
		}
		values[f.to] = recipe.Number(n)
	}
	return tail, true
}

func asIs(s string) ([]byte, bool) { return []byte(s), true }

// decodeHex takes what databases put before hexadecimal, too.
func decodeHex(s string) ([]byte, bool) {
	b, err := hex.DecodeString(digits(s))
	return b, err == nil
}

func digits(s string) string {
	s = strings.TrimPrefix(s, `\x`)
	return strings.TrimPrefix(strings.ToLower(s), "0x")
}

func decodeHexNumber(s string) ([]byte, bool) {
	s = digits(s)
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return decodeHex(s)
}

func decodeDashed(s string) ([]byte, bool) { return decodeHex(strings.ReplaceAll(s, "-", "")) }

// decodeBase64 takes base64 of either alphabet, and that of passlib, which has "." for "+"; with padding or without.
func decodeBase64(s string) ([]byte, bool) {
	s = strings.NewReplacer("-", "+", "_", "/", ".", "+").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil
}

// decodeBcrypt takes so many characters for so many bytes, whatever the bits that are left over.
func decodeBcrypt(characters, n int) func(string) ([]byte, bool) {
	return func(s string) ([]byte, bool) {
		if len(s) != characters {
			return nil, false
		}
		b, err := recipe.BcryptEncoding.DecodeString(s)
		return b, err == nil && len(b) == n
	}
}

const itoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// decodeItoa takes groups of four characters for three bytes, the lowest bits first, as phpass writes them.
func decodeItoa(s string) ([]byte, bool) {
	var out []byte
	var bits, have int
	for _, c := range []byte(s) {
		v := strings.IndexByte(itoa64, c)
		if v < 0 {
			return nil, false
		}
		bits |= v << have
		for have += 6; have >= 8; have -= 8 {
			out = append(out, byte(bits))
			bits >>= 8
		}
	}
	return out, true
}

// decodeDES takes characters for six bits each, the highest first; of the last of eleven, four bits count.
func decodeDES(s string) ([]byte, bool) {
	var all uint64
	for i, c := range []byte(s) {
		v := uint64(strings.IndexByte(itoa64, c))
		if i == 10 {
			all = all<<4 | v>>2
		} else {
			all = all<<6 | v
		}
	}
	out := binary.BigEndian.AppendUint64(nil, all)
	return out[8-len(s)*6/8:], true
}

// The orders in which the crypts of Unix write the bytes of their result.
var (
	md5Order = func() (order []int) {
		for i := range 5 {
			order = append(order, i+12, i+6, i)
		}
		order[12] = 5
		return append(order, 11)
	}()
	sha1Order = func() (order []int) {
		for i := range 6 {
			order = append(order, 3*i+2, 3*i+1, 3*i)
		}
		return append(order, 0, 19, 18) // the first byte once more
	}()
	sha256Order = func() (order []int) {
		for i := range 10 {
			order = append(order, (i*21+20)%30, (i*21+10)%30, i*21%30)
		}
		return append(order, 30, 31)
	}()
	sha512Order = func() (order []int) {
		for i := range 21 {
			order = append(order, (i*22+42)%63, (i*22+21)%63, i*22%63)
		}
		return append(order, 63)
	}()
)

func decodeCrypt(order []int) func(string) ([]byte, bool) {
	return func(s string) ([]byte, bool) {
		b, ok := decodeItoa(s)
		if !ok || len(b) < len(order) {
			return nil, false
		}
		out := make([]byte, slices.Max(order)+1)
		for i, at := range order {
			out[at] = b[i]
		}
		return out, true
	}
}

func decodeHexInt(s string) (int, bool) {
	n, err := strconv.ParseInt(s, 16, 32)
	return int(n), err == nil
}

func decodeInt(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// decodePowerOfTwo takes 16384 for 14.
func decodePowerOfTwo(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return bits.TrailingZeros64(n), err == nil && n > 0 && n&(n-1) == 0
}

func decodeItoaNumber(s string) (int, bool) {
	n := 0
	for i, c := range []byte(s) {
		n |= strings.IndexByte(itoa64, c) << (6 * i)
	}
	return n, n <= 1<<30
}
