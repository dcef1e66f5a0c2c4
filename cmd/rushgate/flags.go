package main

import (
	"cmp"
	"context"
	"errors"
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

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flags is a flag set whose flags may also be given by environment variables, and those of a node by a file. A flag on the
// command line wins, then a variable, then the file; a value that does not parse or is out of range is an error that
// names it, wherever it came from. What may be a URL, and so may hold a password, is in no error.
type flags struct {
	*pflag.FlagSet
	synopsis string
	declared []*declared // in the order of the help
	file     *text       // names the configuration file, of commands that read one
}

// declared is what there is to say of a flag besides what package pflag knows. Help, environment and README go by it.
type declared struct {
	name string
	env  string // by which the game that Rushgate replaces knows it, besides [declared.variable]
	def  string // what stands for the default where that is not one value, such as "the number of cores"
}

// variable is the environment variable of a flag.
func (d *declared) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(d.name, "-", "_"))
}

// value is what a flag sets. The text of its errors must not repeat a secret.
type value interface {
	String() string
	Set(text string) error
}

// typed is a value as package pflag wants it.
type typed struct{ value }

// Type is what pflag would show for a value whose help names none.
func (typed) Type() string { return "" }

func (v typed) Set(s string) error {
	if strings.HasPrefix(s, "--") {
		return errors.New("what follows is another flag")
	}
	return v.value.Set(s)
}

func newFlags(synopsis string) *flags {
	f := &flags{FlagSet: pflag.NewFlagSet("", pflag.ContinueOnError), synopsis: synopsis}
	f.SetOutput(io.Discard)
	f.Usage = func() {} // cobra prints the help
	return f
}

// add declares a flag; env may be empty. The value's default and range, if it has one, are added to the help.
func (f *flags) add(v value, name, env, help string) *declared {
	f.Var(typed{v}, name, help)
	if _, ok := v.(*toggle); ok {
		f.Lookup(name).NoOptDefVal = "true"
	}
	d := &declared{name: name, env: env}
	f.declared = append(f.declared, d)
	return d
}

// addConfig declares the flag that names a configuration file.
func (f *flags) addConfig() {
	f.file = new(text)
	f.add(f.file, "config", "", "`FILE` with flags of serve, YAML, a line each, like \"http: 0.0.0.0:443\"")
}

// valueOf returns what a flag sets.
func (f *flags) valueOf(name string) value { return f.Lookup(name).Value.(typed).value }

// variablePrefix begins the environment variables of all flags.
const variablePrefix = "RUSHGATE_"

// misspelt says of each variable of the environment that looks like one of a flag, and is none, which one may have been
// meant. Variables that are like none are left alone: others have some that begin like ours, as Kubernetes has for a
// service of that name.
func misspelt(root *cobra.Command, environment []string) (said []string) {
	known := []string{strings.TrimPrefix(detachedVariable, variablePrefix)}
	for _, c := range allCommands(root) {
		c.Flags().VisitAll(func(g *pflag.Flag) {
			known = append(known, strings.TrimPrefix((&declared{name: g.Name}).variable(), variablePrefix))
		})
	}
	for _, variable := range environment {
		name, ours := strings.CutPrefix(variable, variablePrefix)
		name, _, _ = strings.Cut(name, "=")
		if !ours || slices.Contains(known, name) || ofService(name) {
			continue
		}
		meant := closest(name, known)
		if meant == "" || 3*edits(name, meant) >= len(name) && !strings.HasPrefix(meant, name) { // PORT is not FOR
			continue
		}
		said = append(said, fmt.Sprintf("the environment variable %s%s is not known; did you mean %[1]s%[3]s?", variablePrefix, name,
			meant))
	}
	slices.Sort(said)
	return said
}

// ofService reports whether a variable is one of those that Kubernetes sets for a service that is called rushgate.
func ofService(name string) bool {
	return name == "PORT" || strings.HasPrefix(name, "PORT_") || strings.HasPrefix(name, "SERVICE_")
}

// settle sets what the command line has not: from the environment, and then from the configuration file.
func (f *flags) settle(ctx context.Context) error {
	given := map[string]bool{}
	f.VisitAll(func(g *pflag.Flag) { given[g.Name] = g.Changed })
	for _, d := range f.declared {
		for _, variable := range []string{d.variable(), d.env} {
			text := os.Getenv(variable)
			if variable == "" || text == "" || given[d.name] {
				continue
			}
			if err := f.Set(d.name, text); err != nil {
				return f.refuse("environment variable "+variable, d.name, text, err)
			}
			given[d.name] = true
		}
	}
	if f.file == nil || *f.file == "" {
		return nil
	}
	return f.readConfig(ctx, string(*f.file), given)
}

// refuse says what is wrong with a value of a flag, and where that came from.
func (f *flags) refuse(from, name, text string, err error) error {
	if invalid := (*pflag.InvalidValueError)(nil); errors.As(err, &invalid) {
		err = invalid.Unwrap() // without the value
	}
	switch f.valueOf(name).(type) {
	case *urls, *secret:
		return usagef("%s: %w", from, err)
	}
	if mayHoldPassword(text) {
		return usagef("%s: the value was not understood; it is not shown, for it may hold a password", from)
	}
	return usagef("%s %q: %w", from, text, err)
}

// explainFlag is what cobra makes of an error of a command's flags.
func explainFlag(c *cobra.Command, err error) error { return (&flags{FlagSet: c.Flags()}).explain(err) }

// explain says what is wrong with flags, and what may have been meant.
func (f *flags) explain(err error) error {
	var (
		invalid *pflag.InvalidValueError
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
	)
	switch {
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "": // one of ours
		return f.refuse("--"+invalid.GetFlag().Name, invalid.GetFlag().Name, invalid.GetValue(), err)
	case mayHoldPassword(err.Error()):
		return usagef("a flag or its value was not understood; it is not shown, for it may hold a password")
	case errors.As(err, &unknown):
		return unknownFlag(f.FlagSet, unknown)
	case errors.As(err, &missing):
		arg, _ := pflag.UnquoteUsage(missing.GetFlag())
		return usagef("--%s needs a value: --%[1]s %s", missing.GetFlag().Name, arg)
	}
	return usageError{err}
}

// unknownFlag says that there is no such flag, and which one may have been meant.
func unknownFlag(set *pflag.FlagSet, unknown *pflag.NotExistError) error {
	name, dashes := unknown.GetSpecifiedName(), "--"
	if letters := unknown.GetSpecifiedShortnames(); letters != "" {
		name, dashes = letters, "-"
	}
	name, _, _ = strings.Cut(name, "=")
	var names []string
	set.VisitAll(func(g *pflag.Flag) { names = append(names, g.Name) })
	if dashes == "-" && slices.Contains(names, "h"+name) { // the parser has taken the h for -h
		name = "h" + name
	}
	if meant := closest(name, names); meant != "" {
		return usagef("there is no flag %s%s; did you mean --%s?", dashes, name, meant)
	}
	return usagef("there is no flag %s%s", dashes, name)
}

// complete has shells complete the values of flags that are one of a few words, a folder or no file.
func (f *flags) complete(c *cobra.Command) {
	for _, d := range f.declared {
		arg, _ := f.usage(d)
		var words []string
		if v, ok := f.valueOf(d.name).(interface{ words() []string }); ok {
			words = v.words()
		}
		var err error
		switch {
		case words != nil:
			err = c.RegisterFlagCompletionFunc(d.name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		case arg == " DIR":
			err = c.MarkFlagDirname(d.name)
		case arg != " FILE":
			err = c.RegisterFlagCompletionFunc(d.name, cobra.NoFileCompletions)
		}
		if err != nil {
			panic(err) // no such flag
		}
	}
}

// none returns an error if there are arguments besides the flags.
func (f *flags) none(args []string) error {
	if len(args) == 0 {
		return nil
	}
	const hint = "flags begin with two dashes, and a value with spaces is quoted"
	if f.secretGiven() || slices.ContainsFunc(args, mayHoldPassword) { // perhaps a password that the shell has split
		return usagef("unexpected argument beside the flags: %s", hint)
	}
	return usagef("unexpected argument %q: %s", args[0], hint)
}

// secretGiven reports whether a flag was given whose value may hold a password.
func (f *flags) secretGiven() (given bool) {
	f.VisitAll(func(g *pflag.Flag) {
		switch f.valueOf(g.Name).(type) {
		case *urls, *secret:
			given = given || g.Changed
		}
	})
	return given
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
	fmt.Fprintln(w, f.synopsis)
	if len(f.declared) > 0 {
		fmt.Fprint(w, "\nFlags:\n")
	}
	for _, d := range f.declared {
		arg, help := f.usage(d)
		fmt.Fprintf(w, "  --%s%s\n        %s", d.name, arg, help)
		var notes []string
		if limits := f.limits(d); limits != "" {
			notes = append(notes, limits)
		}
		if def := f.defaultOf(d); def != "" && !isBool(f.valueOf(d.name)) {
			notes = append(notes, "default "+def)
		}
		if len(notes) > 0 {
			fmt.Fprintf(w, " (%s)", strings.Join(notes, "; "))
		}
		if d.env != "" {
			fmt.Fprintf(w, " [%s]", d.env)
		}
		fmt.Fprintln(w)
	}
	if len(f.declared) > 0 {
		fmt.Fprintf(w, "\nInstead of a flag, an environment variable can be set: %s for --%s, and so on.\n",
			f.declared[0].variable(), f.declared[0].name)
	}
	if slices.ContainsFunc(f.declared, func(d *declared) bool { return d.env != "" }) {
		fmt.Fprintln(w, "Names in brackets, by which another game's operators know them, do as well.")
	}
}

// usage returns what stands for a flag's value, with a space before it, or nothing for one that needs none, and its
// help.
func (f *flags) usage(d *declared) (arg, help string) {
	arg, help = pflag.UnquoteUsage(f.Lookup(d.name))
	if arg == "" || isBool(f.valueOf(d.name)) {
		return "", help
	}
	return " " + arg, help
}

// limits returns a flag's range, like "1 to 60", or nothing.
func (f *flags) limits(d *declared) string {
	if v, ok := f.valueOf(d.name).(interface{ limits() string }); ok {
		return v.limits()
	}
	return ""
}

// defaultOf returns what holds without the flag, or nothing.
func (f *flags) defaultOf(d *declared) string { return cmp.Or(d.def, f.Lookup(d.name).DefValue) }

func isBool(v value) bool {
	_, ok := v.(*toggle)
	return ok
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

func (c *choice) String() string     { return c.value }
func (c *choice) Set(s string) error { return (&choiceAt[string]{&c.value, c.among}).Set(s) }
func (c *choice) words() []string    { return c.among }

// choiceAt is a [choice] that is kept in a configuration.
type choiceAt[T ~string] struct {
	at    *T
	among []T
}

func (c *choiceAt[T]) String() string { return string(*c.at) }

func (c *choiceAt[T]) Set(s string) error {
	if slices.Contains(c.among, T(s)) {
		*c.at = T(s)
		return nil
	}
	return fmt.Errorf("must be one of %s", c.limits())
}

func (c *choiceAt[T]) limits() string { return strings.Join(c.words(), ", ") }

func (c *choiceAt[T]) words() []string {
	words := make([]string, len(c.among))
	for i, word := range c.among {
		words[i] = string(word)
	}
	return words
}

// toggle is on or off.
type toggle bool

func (t *toggle) String() string { return strconv.FormatBool(bool(*t)) }

func (t *toggle) Set(s string) error {
	switch strings.ToLower(s) {
	case "on", "yes", "true", "t", "1":
		*t = true
	case "off", "no", "false", "f", "0":
		*t = false
	default:
		return errors.New("must be on or off, yes or no, true or false")
	}
	return nil
}

// number is a whole number within a range.
type number struct{ value, low, high int }

func (n *number) String() string     { return strconv.Itoa(n.value) }
func (n *number) Set(s string) error { return (&numberAt{&n.value, n.low, n.high}).Set(s) }

// numberAt is a [number] that is kept in a configuration.
type numberAt struct {
	at        *int
	low, high int
}

func (n *numberAt) String() string { return strconv.Itoa(*n.at) }
func (n *numberAt) limits() string { return fmt.Sprintf("%d to %d", n.low, n.high) }

func (n *numberAt) Set(s string) error {
	v, err := strconv.Atoi(s)
	if err != nil || v < n.low || v > n.high {
		return fmt.Errorf("must be a whole number from %s", n.limits())
	}
	*n.at = v
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

func (d *span) String() string     { return d.value.String() }
func (d *span) Set(s string) error { return (&spanAt{&d.value, d.low, d.high}).Set(s) }

// spanAt is a [span] that is kept in a configuration.
type spanAt struct {
	at        *time.Duration
	low, high time.Duration
}

func (d *spanAt) String() string { return d.at.String() }
func (d *spanAt) limits() string { return fmt.Sprintf("%v to %v", d.low, d.high) }

func (d *spanAt) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v < d.low || v > d.high {
		return fmt.Errorf("must be a duration from %s, such as %v", d.limits(), max(*d.at, d.low))
	}
	*d.at = v
	return nil
}

// moment is a point in time as an operator writes it; the zero value is none.
type moment time.Time

func (m *moment) String() string {
	if time.Time(*m).IsZero() {
		return ""
	}
	return time.Time(*m).Format(time.RFC3339)
}

func (m *moment) Set(s string) error {
	at, err := time.Parse(time.RFC3339, s)
	if day, e := time.ParseInLocation(time.DateOnly, s, time.Local); err != nil && e == nil {
		at, err = day, nil
	}
	if err != nil {
		return errors.New("must be a day such as 2027-01-31, when it begins, or a time such as 2027-01-31T18:00:00Z")
	}
	*m = moment(at)
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

// repeated are words of which each further flag adds more.
type repeated []string

func (r *repeated) String() string { return strings.Join(*r, ",") }

func (r *repeated) Set(s string) error {
	var more words
	if err := more.Set(s); err != nil {
		return err
	}
	*r = append(*r, more...)
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
