// Package recipe describes how another system made its hash of a password, as data: an expression over a dozen or so
// primitives, with a text of its own that is stored beside what it makes. So a node verifies the passwords of any
// system that such an expression can describe, also of one that this version has never heard of.
//
//	sha256(hex(sha256(password)) + salt)                     AuthMe
//	pbkdf2_sha384(password, salt, iterations, 48)            Mumble
//	srp_2048(sha256(salt + sha256(lower(name) + ':' + password)))   Minetest
//
// # Language
//
// All values are bytes. "+" joins them, 'text' and 0x-hexadecimal stand for themselves, "password" is what the player
// has typed, other names are variables, which [Recipe.Bind] gives their values, and all else is a call of a function
// with values and whole numbers as arguments. Recipes with "|" between them are readings of one old system that cannot
// be told apart from what it stored: a password is right by either. [Functions] lists what there is.
//
// # Bounds
//
// What a recipe may cost is bounded where it is parsed or bound, so that a writer of records cannot occupy a core or
// the memory: see [MaxText], [MaxCost], and the ranges of the arguments.
package recipe

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxText is the greatest length of a recipe's text in bytes.
	MaxText = 2 << 10
	// MaxCost is what the readings of a recipe may cost together, by estimate.
	MaxCost = time.Second

	maxDepth    = 16
	maxNodes    = 96
	maxReadings = 4
	maxNumber   = 1 << 30
	// maxValue is how long a value gets, in bytes: what a function makes of more is cut, for some make more of what they
	// are given, again and again. No password comes near it.
	maxValue = 4 << 10
	// maxFold is what may be spent on working out in advance what does not depend on the password.
	maxFold = time.Millisecond
)

// ErrInvalid is wrapped by all errors of this package. They quote neither literals nor values, which may be secrets.
var ErrInvalid = errors.New("invalid recipe")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Recipe is an expression. It is immutable, and may be used by many goroutines.
type Recipe struct {
	readings []node
	cost     time.Duration // 0 while there are variables
}

// node is a part of an expression.
type node struct {
	kind  kind
	text  string // the name of a variable, the bytes of a literal
	n     int    // a number
	call  *function
	parts []node // the arguments of a call, what is joined
}

type kind uint8

const (
	literal kind = iota
	number
	variable
	call
	join
)

// The variables that have a value only while a recipe is made.
const (
	passwordVar = "password"
	itVar       = "it" // of loop: what the round before has made
)

// Value is what a variable stands for.
type Value struct {
	bytes   string
	n       int
	numeric bool
}

// Bytes is a value of bytes, Number one that is a whole number.
func Bytes(b []byte) Value { return Value{bytes: string(b)} }

// Number is a value that is a whole number, to be an argument.
func Number(n int) Value { return Value{n: n, numeric: true} }

// Parse reads a recipe, which may have variables.
func Parse(text string) (*Recipe, error) {
	if len(text) > MaxText {
		return nil, invalid("more than %d bytes", MaxText)
	}
	p := &parser{rest: text}
	r := &Recipe{}
	for {
		n, err := p.value(0)
		if err != nil {
			return nil, err
		}
		r.readings = append(r.readings, n)
		if !p.takes('|') {
			break
		}
	}
	if p.rest != "" {
		return nil, invalid("%s where the end was expected", p.next())
	}
	if len(r.readings) > maxReadings {
		return nil, invalid("more than %d readings", maxReadings)
	}
	return r, nil
}

// ParseStored reads a recipe as [Recipe.String] has written it, byte for byte: bound, within all bounds.
func ParseStored(text string) (*Recipe, error) {
	r, err := Parse(text)
	if err != nil {
		return nil, err
	}
	bound, err := r.Bind(nil)
	if err != nil {
		return nil, err
	}
	if bound.String() != text {
		return nil, invalid("not as it would be written")
	}
	return bound, nil
}

// Variables returns the names of the variables but for the password, in order.
func (r *Recipe) Variables() []string {
	var names []string
	for i := range r.readings {
		r.readings[i].walk(func(n *node) {
			if n.kind == variable && n.text != passwordVar && n.text != itVar && !slices.Contains(names, n.text) {
				names = append(names, n.text)
			}
		})
	}
	slices.Sort(names)
	return names
}

// Primitives returns the names of the functions that a recipe calls and that cost something, the outermost first, for
// people to read.
func (r *Recipe) Primitives() []string {
	var names []string
	r.readings[0].walk(func(n *node) {
		if n.kind == call && n.call.cost != nil && !slices.Contains(names, n.call.name) {
			names = append(names, n.call.name)
		}
	})
	return names
}

func (n *node) walk(visit func(*node)) {
	visit(n)
	for i := range n.parts {
		n.parts[i].walk(visit)
	}
}

// String returns the recipe's text. It has literals, such as the salt: it is as secret as what it makes.
func (r *Recipe) String() string {
	var b strings.Builder
	for i := range r.readings {
		if i > 0 {
			b.WriteByte('|')
		}
		r.readings[i].write(&b)
	}
	return b.String()
}

// plain are the characters that a literal may have to be written as text: no quote, and none that separates the parts
// of a stored hash.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;/=@#*_-"

func (n *node) write(b *strings.Builder) {
	switch n.kind {
	case literal:
		if strings.Trim(n.text, plain) == "" {
			b.WriteString("'" + n.text + "'")
		} else {
			b.WriteString("0x" + hex.EncodeToString([]byte(n.text)))
		}
	case number:
		b.WriteString(strconv.Itoa(n.n))
	case variable:
		b.WriteString(n.text)
	case call:
		b.WriteString(n.call.name + "(")
		n.writeParts(b, ',')
		b.WriteByte(')')
	case join:
		n.writeParts(b, '+')
	}
}

func (n *node) writeParts(b *strings.Builder, between byte) {
	for i := range n.parts {
		if i > 0 {
			b.WriteByte(between)
		}
		n.parts[i].write(b)
	}
}

// Bind returns the recipe with values in the place of its variables, and with all worked out that does not depend on
// the password. It fails if a variable has no value or one out of range, or if the recipe would cost too much.
func (r *Recipe) Bind(values map[string]Value) (*Recipe, error) {
	bound := &Recipe{}
	var texts []string
	for i := range r.readings {
		n, err := r.readings[i].bind(values)
		if err != nil {
			return nil, err
		}
		one := Recipe{readings: []node{n}}
		if text := one.String(); !slices.Contains(texts, text) {
			bound.readings, texts = append(bound.readings, n), append(texts, text)
		}
	}
	for i := range bound.readings {
		c, err := bound.readings[i].price()
		if err != nil {
			return nil, err
		}
		bound.cost += c
	}
	if bound.cost > MaxCost {
		return nil, invalid("it would take some %v, more than %v", bound.cost.Round(time.Millisecond), MaxCost)
	}
	if len(bound.String()) > MaxText {
		return nil, invalid("more than %d bytes", MaxText)
	}
	return bound, nil
}

func (n *node) bind(values map[string]Value) (node, error) {
	switch n.kind {
	case variable:
		if n.text == passwordVar || n.text == itVar {
			return *n, nil
		}
		v, ok := values[n.text]
		if !ok {
			return node{}, invalid("%s has no value", n.text)
		}
		if v.numeric {
			return node{kind: number, n: v.n}, nil
		}
		return node{kind: literal, text: v.bytes}, nil
	case literal, number:
		return *n, nil
	case call, join:
	}
	to := node{kind: n.kind, call: n.call, parts: make([]node, 0, len(n.parts))}
	for i := range n.parts {
		part, err := n.parts[i].bind(values)
		if err != nil {
			return node{}, err
		}
		to.parts = append(to.parts, part)
	}
	if to.kind == call {
		if err := to.call.check(to.parts); err != nil {
			return node{}, err
		}
	}
	return to.fold()
}

// fold works out what does not depend on the password, and joins what stands side by side.
func (n node) fold() (node, error) {
	if n.kind == join {
		var parts []node
		for _, part := range n.parts {
			if last := len(parts) - 1; part.kind == literal && last >= 0 && parts[last].kind == literal {
				parts[last].text += part.text
				continue
			}
			if part.kind == number {
				return node{}, invalid("a number where bytes belong")
			}
			parts = append(parts, part)
		}
		if n.parts = parts; len(parts) > 1 {
			return n, nil
		}
		return parts[0], nil
	}
	for _, part := range n.parts {
		if part.kind != literal && part.kind != number {
			return n, nil
		}
	}
	if n.call.name == loopName {
		return n, nil
	}
	if c, err := n.price(); err != nil || c > maxFold {
		return n, err
	}
	return node{kind: literal, text: string(n.make(nil, nil))}, nil
}

// price estimates what making a node's value takes.
func (n *node) price() (time.Duration, error) {
	var sum time.Duration
	for i := range n.parts {
		c, err := n.parts[i].price()
		if err != nil {
			return 0, err
		}
		sum += c
	}
	if n.kind != call {
		return sum, nil
	}
	if n.call.name == loopName {
		return sum * time.Duration(max(n.parts[0].n, 1)), nil
	}
	if n.call.cost != nil {
		sum += n.call.cost(numbers(n.parts))
	}
	return sum, nil
}

// numbers returns the arguments that are numbers.
func numbers(parts []node) (all []int) {
	for i := range parts {
		if parts[i].kind == number {
			all = append(all, parts[i].n)
		}
	}
	return all
}

// Direct returns what a recipe calls on the password itself, with a salt and numbers, if it does nothing else: the text
// of such a hash may be one that others know, too.
func (r *Recipe) Direct() (function string, salt []byte, n []int, ok bool) {
	whole := &r.readings[0]
	if len(r.readings) != 1 || whole.kind != call || len(whole.parts) < 2 {
		return "", nil, nil, false
	}
	p := whole.parts
	if p[0].kind != variable || p[1].kind != literal {
		return "", nil, nil, false
	}
	return whole.call.name, []byte(p[1].text), numbers(p), true
}

// Plain reports whether a recipe is the password as it is.
func (r *Recipe) Plain() bool { return r.String() == passwordVar }

// Cost returns about how long it takes to work a bound recipe out, all readings together, on a machine of some years
// ago. It is the same everywhere: what is decided by it must not depend on the machine.
func (r *Recipe) Cost() time.Duration { return r.cost }

// Readings returns how many results there are.
func (r *Recipe) Readings() int { return len(r.readings) }

// Size returns the length of the results of a bound recipe in bytes, -1 if that depends on the password.
func (r *Recipe) Size() int {
	size := r.readings[0].size()
	for i := range r.readings {
		if r.readings[i].size() != size {
			return -1
		}
	}
	return size
}

// size returns how long a node's value is, -1 if that depends on the password.
func (n *node) size() int { return min(n.wholeSize(), maxValue) }

func (n *node) wholeSize() int {
	switch n.kind {
	case literal:
		return len(n.text)
	case call:
		return n.call.length(n.parts)
	case join:
		sum := 0
		for i := range n.parts {
			size := n.parts[i].size()
			if size < 0 {
				return -1
			}
			sum += size
		}
		return sum
	case number, variable:
	}
	return -1
}

// Make works out the n-th reading of a bound recipe for a password.
func (r *Recipe) Make(reading int, password string) []byte {
	return r.readings[reading].make([]byte(password), nil)
}

// make works out a node. The value of a loop's round is it.
func (n *node) make(password, it []byte) []byte {
	b := n.value(password, it)
	return b[:min(len(b), maxValue)]
}

func (n *node) value(password, it []byte) []byte {
	switch n.kind {
	case literal:
		return []byte(n.text)
	case variable:
		if n.text == itVar {
			return it
		}
		return password
	case join:
		var b []byte
		for i := range n.parts {
			b = append(b, n.parts[i].make(password, it)...)
		}
		return b
	case call:
		if n.call.name == loopName {
			return n.loop(password)
		}
		args := make([][]byte, 0, len(n.parts))
		for i := range n.parts {
			if n.parts[i].kind != number {
				args = append(args, n.parts[i].make(password, it))
			}
		}
		return n.call.make(args, numbers(n.parts))
	case number:
	}
	return nil
}

// loop is the function of that name: its second argument is made again and again, each time of what it has made before,
// at first of the third.
func (n *node) loop(password []byte) []byte {
	it := n.parts[2].make(password, nil)
	for range n.parts[0].n {
		it = n.parts[1].make(password, it)
	}
	return it
}
