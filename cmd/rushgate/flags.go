package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// flags is a flag set whose flags may also be given by environment variables. A flag on the command line wins; a
// value that does not parse or is out of range is an error that names it, wherever it came from. What may be a URL, and
// so may hold a password, is in no error.
type flags struct {
	*flag.FlagSet
	synopsis string
	env      map[string]string // flag name to variable
	order    []string
}

func newFlags(synopsis string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet("", flag.ContinueOnError), synopsis: synopsis, env: map[string]string{}}
	f.SetOutput(io.Discard)
	return f
}

// add declares a flag; env may be empty.
func (f *flags) add(v flag.Value, name, env, help string) {
	f.Var(v, name, help)
	f.order = append(f.order, name)
	if env != "" {
		f.env[name] = env
	}
}

// parse reads the command line, then the environment. Asked for help, it prints it to stdout and returns
// [flag.ErrHelp].
func (f *flags) parse(args []string, stdout io.Writer) error {
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		f.printHelp(stdout)
		return flag.ErrHelp
	} else if err != nil && mayHoldPassword(err.Error()) {
		return usagef("a flag or its value was not understood; it is not shown, for it may hold a password")
	} else if err != nil {
		return usageError{err}
	}
	if f.NArg() > 0 { // perhaps the rest of a value that the shell has split, and of a password in it
		return usagef("unexpected argument after the flags; a value with spaces must be quoted")
	}
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	for _, name := range f.order {
		from := "--" + name
		variable := f.env[name]
		if value := os.Getenv(variable); variable != "" && value != "" && !given[name] {
			from = "environment variable " + variable
			if err := f.Set(name, value); err != nil && mayHoldPassword(value) {
				return usagef("%s: the value was not understood; it is not shown, for it may hold a password", from)
			} else if err != nil {
				return usagef("%s=%q: %w", from, value, err)
			}
		}
		if list, ok := f.Lookup(name).Value.(*urls); ok && list.err != nil {
			return usagef("%s: %w", from, list.err)
		}
	}
	return nil
}

// mayHoldPassword reports whether a text looks as if there were a URL in it, or the end of one with a password.
func mayHoldPassword(s string) bool { return strings.Contains(s, "://") || strings.Contains(s, "@") }

// quote returns an argument for a message, unless it may hold a password.
func quote(s string) string {
	if mayHoldPassword(s) {
		return "that argument"
	}
	return strconv.Quote(s)
}

func (f *flags) printHelp(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nFlags:\n", f.synopsis)
	for _, name := range f.order {
		g := f.Lookup(name)
		arg, help := flag.UnquoteUsage(g)
		fmt.Fprintf(w, "  --%s", name)
		if arg != "" && !isBool(g.Value) {
			fmt.Fprintf(w, " %s", arg)
		}
		fmt.Fprintf(w, "\n        %s", help)
		if g.DefValue != "" && !isBool(g.Value) {
			fmt.Fprintf(w, " (default %s)", g.DefValue)
		}
		if env := f.env[name]; env != "" {
			fmt.Fprintf(w, " [%s]", env)
		}
		fmt.Fprintln(w)
	}
}

func isBool(v flag.Value) bool {
	b, ok := v.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// text is any string.
type text string

func (t *text) String() string     { return string(*t) }
func (t *text) Set(s string) error { *t = text(s); return nil }

// choice is one of a few words.
type choice struct {
	value string
	among []string
}

func (c *choice) String() string { return c.value }

func (c *choice) Set(s string) error {
	for _, word := range c.among {
		if s == word {
			c.value = s
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(c.among, ", "))
}

// toggle is on or off.
type toggle bool

func (t *toggle) String() string   { return strconv.FormatBool(bool(*t)) }
func (t *toggle) IsBoolFlag() bool { return true }

func (t *toggle) Set(s string) error {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("must be true or false")
	}
	*t = toggle(v)
	return nil
}

// number is a whole number within a range.
type number struct{ value, low, high int }

func (n *number) String() string { return strconv.Itoa(n.value) }

func (n *number) Set(s string) error {
	v, err := strconv.Atoi(s)
	if err != nil || v < n.low || v > n.high {
		return fmt.Errorf("must be a whole number from %d to %d", n.low, n.high)
	}
	n.value = v
	return nil
}

// seed is any 64-bit number.
type seed uint64

func (n *seed) String() string { return strconv.FormatUint(uint64(*n), 10) }

func (n *seed) Set(s string) error {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return fmt.Errorf("must be a whole number from 0 to %d", uint64(math.MaxUint64))
	}
	*n = seed(v)
	return nil
}

// hexID is a 64-bit number above 0 in hexadecimal, with or without 0x before it.
type hexID uint64

func (n *hexID) String() string { return fmt.Sprintf("%#x", uint64(*n)) }

func (n *hexID) Set(s string) error {
	digits := strings.TrimPrefix(strings.ToLower(s), "0x")
	v, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || v == 0 {
		return errors.New("must be 1 to 16 hexadecimal digits, not all of them 0")
	}
	*n = hexID(v)
	return nil
}

// decimal is a positive number up to a limit.
type decimal struct{ value, high float64 }

func (d *decimal) String() string { return strconv.FormatFloat(d.value, 'g', -1, 64) }

func (d *decimal) Set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v <= d.high) {
		return fmt.Errorf("must be a number above 0 and up to %g", d.high)
	}
	d.value = v
	return nil
}

// share is a number from 0 to a limit.
type share struct{ value, high float64 }

func (d *share) String() string { return strconv.FormatFloat(d.value, 'g', -1, 64) }

func (d *share) Set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= d.high) {
		return fmt.Errorf("must be a number from 0 to %g", d.high)
	}
	d.value = v
	return nil
}

// span is a duration within a range.
type span struct{ value, low, high time.Duration }

func (d *span) String() string { return d.value.String() }

func (d *span) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v < d.low || v > d.high {
		return fmt.Errorf("must be a duration from %v to %v, such as %v", d.low, d.high, d.value)
	}
	d.value = v
	return nil
}

// words is a list of words, none of them empty.
type words []string

func (w *words) String() string { return strings.Join(*w, ",") }

func (w *words) Set(s string) error {
	var list []string
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word == "" {
			return errors.New("must be words separated by commas, none of them empty")
		}
		list = append(list, word)
	}
	*w = list
	return nil
}

// zones are zones with the address of the node that serves each.
type zones map[string]string

func (z *zones) String() string {
	var words []string
	for _, zone := range slices.Sorted(maps.Keys(*z)) {
		words = append(words, zone+"="+(*z)[zone])
	}
	return strings.Join(words, ",")
}

func (z *zones) Set(s string) error {
	list := make(zones)
	for word := range strings.SplitSeq(s, ",") {
		zone, addr, ok := strings.Cut(strings.TrimSpace(word), "=")
		if !ok || zone == "" || addr == "" {
			return fmt.Errorf("%q is not of the form zone=host:port", word)
		}
		if _, twice := list[zone]; twice {
			return fmt.Errorf("zone %s is there twice", zone)
		}
		list[zone] = addr
	}
	*z = list
	return nil
}

// prefixes is a list of networks or single addresses.
type prefixes []netip.Prefix

func (p *prefixes) String() string {
	var words []string
	for _, x := range *p {
		words = append(words, x.String())
	}
	return strings.Join(words, ",")
}

func (p *prefixes) Set(s string) error {
	var list []netip.Prefix
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		x, err := netip.ParsePrefix(word)
		if err != nil {
			a, err := netip.ParseAddr(word)
			if err != nil {
				return fmt.Errorf("%q is neither a network such as 10.0.0.0/8 nor an address", word)
			}
			x = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, x.Masked())
	}
	*p = list
	return nil
}
