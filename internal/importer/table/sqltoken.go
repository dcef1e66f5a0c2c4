package table

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rushgate/rushgate/internal/textfile"
)

// dialect is whose dump it is, which decides what a backslash in a text is.
type dialect uint8

const (
	mySQL dialect = iota
	postgreSQL
	sqlite3
)

// tokenKind is what a token of SQL is.
type tokenKind uint8

const (
	endOfFile tokenKind = iota
	word                // a keyword, or a name without quotes
	name                // a name in quotes
	text                // a text in quotes
	number              // a number as it is written
	sign                // one character of punctuation
)

// token is a token of SQL.
type token struct {
	kind tokenKind
	text string // empty if it was not to be kept
	long bool   // it was too long to be kept
}

func (t *token) is(keyword string) bool { return t.kind == word && strings.EqualFold(t.text, keyword) }

func (t *token) isSign(c byte) bool { return t.kind == sign && t.text[0] == c }

// lexer takes a dump apart. It keeps at most MaxValueLen of anything.
type lexer struct {
	r       *bufio.Reader
	dialect dialect
	line    int
	at      int64
	again   *token // put back
	buf     []byte
}

// headLen is how much of a file is looked at to find out what it is.
const headLen = 64 << 10

func newLexer(r io.Reader) (*lexer, error) {
	b := bufio.NewReaderSize(r, headLen)
	skipMark(b)
	head, err := b.Peek(headLen)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return &lexer{r: b, dialect: dialectOf(string(head)), line: 1}, nil
}

// skipMark skips a mark of the byte order.
func skipMark(b *bufio.Reader) {
	if mark, _ := b.Peek(len(textfile.Mark)); string(mark) == textfile.Mark {
		_, _ = b.Discard(len(textfile.Mark)) // they are there
	}
}

// dialectOf tells whose dump begins like this, by what its program says of itself, or else by what only it writes.
func dialectOf(head string) dialect {
	const titleLen = 256
	title := head[:min(len(head), titleLen)]
	switch {
	case strings.Contains(title, "PostgreSQL"):
		return postgreSQL
	case strings.Contains(title, "MySQL"), strings.Contains(title, "MariaDB"), strings.HasPrefix(title, "/*!"):
		return mySQL
	case strings.HasPrefix(head, "PRAGMA "), strings.HasPrefix(head, "BEGIN TRANSACTION"):
		return sqlite3
	case strings.Contains(head, "standard_conforming_strings"), strings.Contains(head, " FROM stdin;"):
		return postgreSQL
	default:
		return mySQL
	}
}

func (l *lexer) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d of the dump: %w", l.line, fmt.Errorf(format, args...))
}

// unended is the error for a dump that ends within something; another error of reading stays what it is.
func (l *lexer) unended(err error, within string) error {
	if errors.Is(err, io.EOF) {
		return l.errorf("the file ends within %s: it is not all there", within)
	}
	return err
}

func (l *lexer) readByte() (byte, error) {
	c, err := l.r.ReadByte()
	if err == nil {
		l.at++
		if c == '\n' {
			l.line++
		}
	}
	return c, err
}

func (l *lexer) unreadByte(c byte) {
	_ = l.r.UnreadByte() // it was just read
	l.at--
	if c == '\n' {
		l.line--
	}
}

// peek returns the next byte, 0 at the end.
func (l *lexer) peek() byte {
	b, err := l.r.Peek(1)
	if err != nil {
		return 0
	}
	return b[0]
}

// next returns the next token. The text of a value is kept if keep says so, and anything else always.
func (l *lexer) next(keep bool) (token, error) {
	if t := l.again; t != nil {
		l.again = nil
		return *t, nil
	}
	for {
		c, err := l.readByte()
		if errors.Is(err, io.EOF) {
			return token{kind: endOfFile}, nil
		}
		if err != nil {
			return token{}, err
		}
		switch {
		case c <= ' ':
		case c == '-' && l.peek() == '-', c == '#' && l.dialect == mySQL:
			err = l.skipLine()
		case c == '/' && l.peek() == '*':
			err = l.skipComment()
		default:
			return l.token(c, keep)
		}
		if err != nil {
			return token{}, err
		}
	}
}

// token reads a token that begins with c.
func (l *lexer) token(c byte, keep bool) (token, error) {
	switch {
	case c == '\'':
		return l.text(c, keep, l.dialect == mySQL)
	case c == '"' || c == '`':
		t, err := l.text(c, true, c == '"' && l.dialect == mySQL)
		if len(t.text) <= maxNameLen {
			t.kind = name // or it may be a value that MySQL has in such quotes
		}
		return t, err
	case c == '$' && l.dialect == postgreSQL:
		return token{kind: text}, l.skipDollars()
	case digit(c), (c == '-' || c == '+' || c == '.') && (digit(l.peek()) || l.peek() == '.'):
		return l.run(c, number, func(c byte) bool { return wordByte(c) || c == '.' || c == '-' || c == '+' })
	case wordByte(c):
		return l.word(c, keep)
	default:
		return token{kind: sign, text: string(c)}, nil
	}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit(c) || c == '_' || c >= 0x80
}

// word reads a word, and the text that some words are the prefix of.
func (l *lexer) word(c byte, keep bool) (token, error) {
	t, err := l.run(c, word, wordByte)
	if err != nil {
		return t, err
	}
	next := l.peek()
	switch w := strings.ToLower(t.text); {
	case next == '\'' && (w == "x" || w == "e"):
		_, _ = l.readByte() // the quote
		v, err := l.text('\'', keep, w == "e")
		if err != nil || w == "e" || !keep {
			return v, err
		}
		b, err := hex.DecodeString(v.text)
		if err != nil {
			return token{}, l.errorf("a text of hexadecimal digits has others")
		}
		v.text = string(b)
		return v, nil
	case next == '\'' && w == "b":
		return l.bits()
	case l.dialect == mySQL && (w == "_binary" || w == "_utf8mb4" || w == "_utf8mb3" || w == "_utf8"):
		return l.next(keep)
	}
	return t, nil
}

// bits reads a text of binary digits, as phpMyAdmin writes the columns of bits: it is their bytes.
func (l *lexer) bits() (token, error) {
	_, _ = l.readByte() // the quote
	v, err := l.text('\'', true, false)
	if err != nil {
		return v, err
	}
	n, err := strconv.ParseUint(v.text, 2, 64)
	if err != nil {
		return token{}, l.errorf("a text of binary digits has others, or more than 64")
	}
	b := binary.BigEndian.AppendUint64(nil, n)
	v.text = string(b[len(b)-max(1, (len(v.text)+7)/8):])
	return v, nil
}

// run reads a token of the bytes that belong to it.
func (l *lexer) run(c byte, kind tokenKind, belongs func(byte) bool) (token, error) {
	l.buf = append(l.buf[:0], c)
	for {
		c, err := l.readByte()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return token{}, err
		}
		if !belongs(c) {
			l.unreadByte(c)
			break
		}
		if l.buf = append(l.buf, c); len(l.buf) > 2*MaxValueLen+2 {
			return token{}, l.errorf("a word or a number is too long")
		}
	}
	return token{kind: kind, text: string(l.buf)}, nil
}

// text reads a text up to its second quote.
func (l *lexer) text(quote byte, keep, escapes bool) (token, error) {
	t := token{kind: text}
	l.buf = l.buf[:0]
	for {
		c, err := l.readByte()
		if err != nil {
			return t, l.unended(err, "a text in quotes")
		}
		switch {
		case c == quote && l.peek() != quote:
			t.text = string(l.buf)
			return t, nil
		case c == quote:
			_, _ = l.readByte() // it is doubled
			l.keep(&t, keep, c)
		case c == '\\' && escapes:
			if c, err = l.readByte(); err != nil {
				return t, l.unended(err, "a text in quotes")
			}
			if l.dialect == mySQL && (c == '%' || c == '_') {
				l.keep(&t, keep, '\\')
			}
			l.keep(&t, keep, l.unescaped(c))
		default:
			l.keep(&t, keep, c)
		}
	}
}

// keep takes up a byte of a text.
func (l *lexer) keep(t *token, keep bool, c byte) {
	if keep && len(l.buf) < 2*MaxValueLen {
		l.buf = append(l.buf, c)
	} else {
		t.long = keep
	}
}

// unescaped returns what stands behind a backslash.
func (l *lexer) unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'f':
		if l.dialect == postgreSQL {
			return '\f'
		}
	case '0':
		return 0
	case 'Z':
		return 0x1a
	}
	return c
}

func (l *lexer) skipLine() error {
	for {
		c, err := l.readByte()
		if errors.Is(err, io.EOF) || c == '\n' && err == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// skipComment skips a comment, and with it what only some versions of MySQL are to run.
func (l *lexer) skipComment() error {
	var last byte
	_, _ = l.readByte() // the asterisk that begins it, which does not end it as well
	for {
		c, err := l.readByte()
		if err != nil {
			return l.unended(err, "a comment")
		}
		if last == '*' && c == '/' {
			return nil
		}
		last = c
	}
}

// skipDollars skips a text between dollars, with a word between those, after the first dollar.
func (l *lexer) skipDollars() error {
	tag, err := l.run('$', text, wordByte)
	if err != nil || l.peek() != '$' {
		return err // such as $1
	}
	end := tag.text + "$"
	window := make([]byte, 0, 2*len(end))
	_, _ = l.readByte()
	for {
		c, err := l.readByte()
		if err != nil {
			return l.unended(err, "a text between dollars")
		}
		if window = append(window, c); len(window) > len(end) {
			window = window[1:]
		}
		if string(window) == end {
			return nil
		}
	}
}
