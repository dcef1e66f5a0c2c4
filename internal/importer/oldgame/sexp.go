package oldgame

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a printed value. The largest real ones nest four deep and have a few kilobytes.
const (
	maxValueLen   = 64 << 10 // bytes
	maxDepth      = 16
	maxElements   = 4096 // per list
	maxKeywordLen = 64   // bytes, without the colon
	maxNumberLen  = 64   // bytes
)

// kind tells what a node is.
type kind uint8

const (
	kindNil     kind = iota // NIL, which is also the empty list
	kindTrue                // T
	kindList                // never empty
	kindKeyword             // such as :ZONE-1
	kindString
	kindInteger
	kindFloat
)

var kindNames = [...]string{"NIL", "T", "a list", "a keyword", "a string", "an integer", "a float"}

func (k kind) String() string { return kindNames[k] }

// node is one value as it was printed.
type node struct {
	kind    kind
	offset  int    // of its first byte
	text    string // of a keyword, without its colon, or of a string; may share memory with the input
	integer int64
	float   float64
	list    []node
}

// ValueError says what is wrong with a value, and where. It quotes nothing that could be a secret.
type ValueError struct {
	// Line and Column count from 1 within the value; Column counts bytes.
	Line, Column int
	Problem      string
}

// Error returns the problem after its position.
func (e *ValueError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Problem)
}

// errorAt is the error for the byte at an offset of a value.
func errorAt(value string, offset int, format string, args ...any) error {
	before := value[:min(offset, len(value))]
	return &ValueError{
		Line:    1 + strings.Count(before, "\n"),
		Column:  len(before) - strings.LastIndexByte(before, '\n'),
		Problem: fmt.Sprintf(format, args...),
	}
}

// parser reads what the printer of Common Lisp writes of plain data (the language standard, sections 22.1.3 and 2.3).
// It is not a Lisp reader: it knows lists, strings, keywords, numbers, NIL and T, and refuses everything else. Above
// all nothing is ever evaluated.
type parser struct {
	in      string
	at      int
	pending []node // elements of the lists not closed yet, innermost last
}

// parse reads one value. Errors are a *[ValueError].
func parse(value string) (node, error) {
	if len(value) > maxValueLen {
		return node{}, errorAt(value, maxValueLen, "longer than %d bytes", maxValueLen)
	}
	if !utf8.ValidString(value) {
		return node{}, errorAt(value, firstInvalid(value), "not UTF-8")
	}
	p := &parser{in: value, pending: make([]node, 0, 32)}
	n, err := p.node(0)
	if err != nil {
		return node{}, err
	}
	if p.skipSpace(); p.at < len(p.in) {
		return node{}, p.fail("something follows the value")
	}
	return n, nil
}

// firstInvalid is the offset of the first byte that is not UTF-8.
func firstInvalid(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return len(s)
}

func (p *parser) fail(format string, args ...any) error { return errorAt(p.in, p.at, format, args...) }

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' }

func (p *parser) skipSpace() {
	for p.at < len(p.in) && isSpace(p.in[p.at]) {
		p.at++
	}
}

// node reads one value that is depth lists deep.
func (p *parser) node(depth int) (node, error) {
	p.skipSpace()
	if p.at == len(p.in) {
		return node{}, p.fail("the value ends too early")
	}
	switch p.in[p.at] {
	case '(':
		if depth == maxDepth {
			return node{}, p.fail("lists more than %d deep", maxDepth)
		}
		return p.list(depth + 1)
	case ')':
		return node{}, p.fail("a closing parenthesis without an opening one")
	case '"':
		return p.string()
	default:
		return p.token()
	}
}

func (p *parser) list(depth int) (node, error) {
	n := node{kind: kindNil, offset: p.at}
	first := len(p.pending)
	p.at++
	for {
		p.skipSpace()
		if p.at < len(p.in) && p.in[p.at] == ')' {
			p.at++
			if len(p.pending) > first {
				n.kind, n.list = kindList, slices.Clone(p.pending[first:])
				p.pending = p.pending[:first]
			}
			return n, nil
		}
		if p.at == len(p.in) {
			return node{}, errorAt(p.in, n.offset, "a list without its closing parenthesis")
		}
		if len(p.pending)-first == maxElements {
			return node{}, p.fail("more than %d elements in a list", maxElements)
		}
		element, err := p.node(depth)
		if err != nil {
			return node{}, err
		}
		p.pending = append(p.pending, element)
	}
}

// string reads a string. The printer puts a backslash before backslashes and double quotes, and nothing else.
func (p *parser) string() (node, error) {
	n := node{kind: kindString, offset: p.at}
	p.at++
	var unescaped strings.Builder
	for {
		i := strings.IndexAny(p.in[p.at:], `\"`)
		if i < 0 {
			return node{}, errorAt(p.in, n.offset, "a string without its closing quote")
		}
		plain := p.in[p.at : p.at+i]
		p.at += i
		if p.in[p.at] == '"' {
			p.at++
			n.text = plain
			if unescaped.Len() > 0 {
				unescaped.WriteString(plain)
				n.text = unescaped.String()
			}
			return n, nil
		}
		p.at++
		if p.at == len(p.in) || p.in[p.at] != '"' && p.in[p.at] != '\\' {
			p.at--
			return node{}, p.fail(`a backslash that is before neither \ nor "`)
		}
		unescaped.WriteString(plain)
		unescaped.WriteByte(p.in[p.at])
		p.at++
	}
}

// token reads a keyword, a number, NIL or T.
func (p *parser) token() (node, error) {
	if err := p.refuseSyntax(); err != nil {
		return node{}, err
	}
	n := node{offset: p.at}
	end := p.at
	for end < len(p.in) && !isSpace(p.in[end]) && strings.IndexByte(`()";`, p.in[end]) < 0 {
		end++
	}
	word := p.in[p.at:end]
	var err error
	switch c := word[0]; {
	case c == ':':
		err = p.keyword(&n, word[1:])
	case c >= '0' && c <= '9', c == '+', c == '-', c == '.':
		err = p.number(&n, word)
	case word == "NIL":
		n.kind = kindNil
	case word == "T":
		n.kind = kindTrue
	default:
		err = p.fail("a symbol other than NIL and T")
	}
	p.at = end
	return n, err
}

// refuseSyntax refuses what a Lisp reader would act on.
func (p *parser) refuseSyntax() error {
	switch c := p.in[p.at]; c {
	case '#':
		if strings.HasPrefix(p.in[p.at:], "#.") {
			return p.fail("#. asks for evaluation, and nothing is evaluated")
		}
		return p.fail("the reader macro # is not data")
	case '\'', '`', ',':
		return p.fail("the reader macro %c is not data", c)
	case ';':
		return p.fail("a comment")
	case '|', '\\':
		return p.fail("a symbol with escaped characters")
	default:
		return nil
	}
}

func (p *parser) keyword(n *node, name string) error {
	if name == "" || len(name) > maxKeywordLen {
		return p.fail("a keyword not of 1 to %d characters", maxKeywordLen)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return errorAt(p.in, p.at+1+i, "a keyword with a character other than A-Z 0-9 - _ .")
		}
	}
	n.kind, n.text = kindKeyword, name
	return nil
}

// number reads an integer or a float. A float's exponent marker says how exact it was in memory, single or double; the
// digits are read as a double either way, which keeps what was printed.
func (p *parser) number(n *node, word string) error {
	if len(word) > maxNumberLen {
		return p.fail("a number of more than %d characters", maxNumberLen)
	}
	if word == "." {
		return p.fail("a dotted pair")
	}
	f := scanNumber(word)
	var err error
	switch {
	case f.ratio:
		return p.fail("a ratio")
	case !f.valid:
		return p.fail("neither an integer nor a float")
	case f.float:
		digits := []byte(word)
		if f.marker > 0 {
			digits[f.marker] = 'e'
		}
		n.kind = kindFloat
		n.float, err = strconv.ParseFloat(string(digits), 64)
		if err != nil || math.IsInf(n.float, 0) {
			return p.fail("a float out of range")
		}
	default:
		n.kind = kindInteger
		if n.integer, err = strconv.ParseInt(word, 10, 64); err != nil {
			return p.fail("an integer of more than 64 bits")
		}
	}
	return nil
}

// numberForm is what the characters of a number make of it.
type numberForm struct {
	valid, float, ratio bool
	marker              int // index of the exponent marker, 0 if there is none
}

// scanNumber follows the syntax of numbers in section 2.3.2 of the language standard:
//
//	integer  [sign] digit+
//	ratio    [sign] digit+ / digit+
//	float    [sign] digit* . digit+ [exponent]  |  [sign] digit+ [. digit*] exponent
//	exponent marker [sign] digit+, the marker being one of e s f d l
func scanNumber(s string) (f numberForm) {
	i := 0
	digits := func() (n int) {
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			n++
		}
		return n
	}
	sign := func() {
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
	}
	sign()
	whole, point, fraction := digits(), false, 0
	switch {
	case i == len(s):
		f.valid = whole > 0
		return f
	case s[i] == '/':
		i++
		f.ratio = whole > 0 && digits() > 0 && i == len(s)
		return f
	case s[i] == '.':
		i++
		point, fraction = true, digits()
	}
	f.float = true
	if i == len(s) {
		f.valid = point && fraction > 0
		return f
	}
	if strings.IndexByte("esfdlESFDL", s[i]) < 0 || whole+fraction == 0 {
		return f
	}
	f.marker = i
	i++
	sign()
	f.valid = digits() > 0 && i == len(s)
	return f
}
