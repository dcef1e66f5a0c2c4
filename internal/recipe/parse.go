package recipe

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// parser reads a recipe from front to back.
type parser struct {
	rest  string
	nodes int
	loops int // how many loops it is in
}

// takes reads a character if it is the next, and spaces before it.
func (p *parser) takes(c byte) bool {
	p.rest = strings.TrimLeft(p.rest, " \n\t")
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// next describes what comes next without quoting it.
func (p *parser) next() string {
	if p.rest == "" {
		return "the end"
	}
	return fmt.Sprintf("%+q, with %d characters left,", p.rest[0], len(p.rest))
}

// value reads what is joined by "+".
func (p *parser) value(depth int) (node, error) {
	if depth > maxDepth {
		return node{}, invalid("more than %d calls in each other", maxDepth)
	}
	var parts []node
	for {
		n, err := p.one(depth)
		if err != nil {
			return node{}, err
		}
		parts = append(parts, n)
		if !p.takes('+') {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return node{kind: join, parts: parts}, nil
}

func (p *parser) one(depth int) (node, error) {
	if p.nodes++; p.nodes > maxNodes {
		return node{}, invalid("more than %d parts", maxNodes)
	}
	if p.takes('\'') {
		text, rest, ok := strings.Cut(p.rest, "'")
		if !ok || strings.Trim(text, plain) != "" {
			return node{}, invalid("a text without an end, or with characters that are to be written in hexadecimal")
		}
		p.rest = rest
		return node{kind: literal, text: text}, nil
	}
	word := p.word()
	switch {
	case word == "":
		return node{}, invalid("%s where a value was expected", p.next())
	case strings.HasPrefix(word, "0x"):
		b, err := hex.DecodeString(word[2:])
		if err != nil || len(b) == 0 {
			return node{}, invalid("what follows 0x is not hexadecimal")
		}
		return node{kind: literal, text: string(b)}, nil
	case word[0] >= '0' && word[0] <= '9':
		n, err := strconv.Atoi(word)
		if err != nil || n > maxNumber {
			return node{}, invalid("a number out of range")
		}
		return node{kind: number, n: n}, nil
	case p.takes('('):
		return p.call(word, depth)
	case word == itVar && p.loops == 0:
		return node{}, invalid("\"it\" outside of a loop")
	}
	return node{kind: variable, text: word}, nil
}

// word reads letters, digits and "_".
func (p *parser) word() string {
	p.rest = strings.TrimLeft(p.rest, " \n\t")
	rest := strings.TrimLeft(p.rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
	word := p.rest[:len(p.rest)-len(rest)]
	p.rest = rest
	return word
}

// call reads the arguments of a function.
func (p *parser) call(name string, depth int) (node, error) {
	f := functions[name]
	if f == nil {
		return node{}, invalid("there is no function of the name that stands %d characters before the end", len(p.rest))
	}
	if name == loopName {
		if p.loops++; p.loops > 1 {
			return node{}, invalid("a loop in a loop")
		}
		defer func() { p.loops-- }()
	}
	n := node{kind: call, call: f}
	for i := range f.args {
		if i > 0 && !p.takes(',') {
			return node{}, invalid("%s takes %d arguments", name, len(f.args))
		}
		arg, err := p.value(depth + 1)
		if err != nil {
			return node{}, err
		}
		n.parts = append(n.parts, arg)
	}
	if !p.takes(')') {
		return node{}, invalid("%s takes %d arguments", name, len(f.args))
	}
	return n, nil
}
