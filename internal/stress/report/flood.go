package report

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rushgate/rushgate/internal/latency"
)

// CPU is CPU time of a server by what it went into: in seconds, or where so said in seconds per second.
type CPU struct {
	Process float64 `json:"process"` // all of it
	Hash    float64 `json:"hash"`    // derivations of passwords
	Door    float64 `json:"door"`    // accepting, refusing and handshakes
	Tick    float64 `json:"tick"`    // steps of the world
	Other   float64 `json:"other"`   // play, HTTP, the store and all else
}

// Plus returns the sums of both.
func (c CPU) Plus(a CPU) CPU {
	return CPU{c.Process + a.Process, c.Hash + a.Hash, c.Door + a.Door, c.Tick + a.Tick, c.Other + a.Other}
}

// Times returns each part so many times.
func (c CPU) Times(n float64) CPU {
	return CPU{n * c.Process, n * c.Hash, n * c.Door, n * c.Tick, n * c.Other}
}

// Knocks are numbers of knocks of a flood. Each one that was due is in Unmade or in Made; each of those made is in at
// most one of In, Refused, Gone, Silent and Open.
type Knocks struct {
	Made    int `json:"made"`
	Late    int `json:"late"`    // of those, made 100 ms late or more: the generator was behind
	Unmade  int `json:"unmade"`  // the generator was 250 ms behind or had no room
	Full    int `json:"full"`    // of those, for want of room: of files or ports, which knocks without an answer hold
	In      int `json:"in"`      // let in
	Refused int `json:"refused"` // answered otherwise
	Gone    int `json:"gone"`    // the connection was refused, reset or closed without a whole answer
	Silent  int `json:"silent"`  // no answer within the patience
	Open    int `json:"open"`    // without an answer when the run was interrupted
}

// Plus returns the sums of both.
func (k Knocks) Plus(a Knocks) Knocks {
	return Knocks{
		k.Made + a.Made, k.Late + a.Late, k.Unmade + a.Unmade, k.Full + a.Full, k.In + a.In, k.Refused + a.Refused,
		k.Gone + a.Gone, k.Silent + a.Silent, k.Open + a.Open,
	}
}

// KnockReport is what became of the knocks of a [KnockFlood], and what the server did meanwhile.
type KnockReport struct {
	PerSecond float64 `json:"rate_per_s"` // due
	Times     float64 `json:"times"`      // the same in multiples of the capacity
	Mode      Mode    `json:"mode"`       // what they asked for
	TLS       bool    `json:"tls"`
	Sources   string  `json:"sources"`  // prefix of the addresses that they came from
	Length    float64 `json:"length_s"` // for which they came
	Patience  float64 `json:"patience_s"`

	Knocks
	MadePerSecond float64 `json:"made_per_s"`
	// Counted is what happened during phase [PhaseFlood], of CountedSeconds. The next three are how many were let in per
	// second of that, and Goodput is that as a share of the capacity.
	Counted          Knocks  `json:"counted"`
	CountedSeconds   float64 `json:"counted_s"`
	KnocksInPerS     float64 `json:"knocks_in_per_s"`
	PlayersInPerS    float64 `json:"players_in_per_s"`
	InPerSecond      float64 `json:"in_per_s"`
	Goodput          float64 `json:"goodput"`
	AnsweredOfKnocks float64 `json:"answered_share"` // of those made

	Answers []KnockAnswers  `json:"answers"` // by kind, the most frequent first
	Refusal latency.Summary `json:"refusal"` // age of all answers that did not let in
	Entry   latency.Summary `json:"entry"`   // age of those that did
	Delay   latency.Summary `json:"delay"`   // from when a knock was due to when it was made
	// GeneratorMicros is the CPU time of the generator for each knock; zero with TLS.
	GeneratorMicros float64 `json:"generator_us"`
}

// KnockAnswers are answers of one kind.
type KnockAnswers struct {
	Status int             `json:"status"` // of HTTP; 0 for kinds that are not told apart
	Reason string          `json:"reason"` // "" for none
	Count  int             `json:"count"`
	Age    latency.Summary `json:"age"` // from when the knock was due to the whole answer
}

// Limited says in a sentence how far the generator, rather than the server, was the limit of the flood; it is empty if
// there is no sign of that.
func (k *KnockReport) Limited() string {
	var signs []string
	due := k.Made + k.Unmade
	if n := k.Unmade - k.Full; n > 0 {
		signs = append(signs, fmt.Sprintf("%d of the %d knocks that were due were not made because it was 250 ms behind", n,
			due))
	}
	if k.Full > 0 {
		signs = append(signs, fmt.Sprintf("%d of the %d knocks that were due were not made for want of files or ports, which"+
			" those without an answer hold", k.Full, due))
	}
	if k.Late*100 > k.Made {
		signs = append(signs, fmt.Sprintf("%d of its %d knocks came %v late or more", k.Late, k.Made, 100*time.Millisecond))
	}
	return strings.Join(signs, "; ")
}

// Name returns a short name of a kind of answers.
func (a *KnockAnswers) Name() string {
	if a.Status == 0 {
		return "others"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Reason))
}

// judgeFlood judges what became of the knocks.
func (r *Report) judgeFlood(l Limits) {
	k := r.Flood
	if k == nil {
		k = new(KnockReport)
	}
	r.atLeast("knocks made", 1, float64(k.Made))
	r.within("refusal of a knock", l.RefusalP99, k.Refusal.P99, k.Refusal.Count)
	if l.Answered > 0 {
		r.atLeast("share of the knocks that were answered", l.Answered, k.AnsweredOfKnocks)
	}
}

// maxKinds bounds the kinds of answers that are shown: reports are read from files.
const maxKinds = 40

// write adds the flood to the text of a report.
func (k *KnockReport) write(b *bytes.Buffer, capacity float64) {
	fmt.Fprintf(b, "\nflood: %s knocks%s, %.0f/s due (%.1f times the capacity) for %.0f s from %s; %.0f/s made\n", k.Mode,
		pick(k.TLS, " over TLS", ""), k.PerSecond, k.Times, k.Length, k.Sources, k.MadePerSecond)
	fmt.Fprintf(b, "let in while it lasted: %.1f/s, %.1f %% of the capacity of %.1f/s (knocks %.1f/s, players %.1f/s)\n",
		k.InPerSecond, 100*k.Goodput, capacity, k.KnocksInPerS, k.PlayersInPerS)
	fmt.Fprintf(b, "knocks: %d made, %d late, %d not made (%d for want of room); in %d, refused %d, gone %d,"+
		" silent for %.0f s %d", k.Made, k.Late, k.Unmade, k.Full, k.In, k.Refused, k.Gone, k.Patience, k.Silent)
	if k.Open > 0 {
		fmt.Fprintf(b, ", interrupted %d", k.Open)
	}
	if k.GeneratorMicros > 0 {
		fmt.Fprintf(b, "; %.0f µs of the generator's CPU each", k.GeneratorMicros)
	}
	b.WriteByte('\n')
	t := newTable(b)
	for i := range k.Answers[:min(len(k.Answers), maxKinds)] {
		summaryRow(t, "answer "+k.Answers[i].Name(), k.Answers[i].Age)
	}
	summaryRow(t, "knock delay", k.Delay)
	_ = t.Flush() // to a bytes.Buffer, which never fails
}

// writeCPU adds what a server's cores did in each phase to the text of a report, if it told.
func (r *Report) writeCPU(b *bytes.Buffer) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	some := false
	for i := range r.Phases {
		c := r.Phases[i].CPU
		if c == nil {
			continue
		}
		if !some {
			fmt.Fprintln(t, "\ncores in use\tall\thash\tdoor\ttick\tplay, else\t")
		}
		some = true
		fmt.Fprintf(t, "%s\t%.2f\t%.3f\t%.3f\t%.3f\t%.3f\t\n", r.Phases[i].Name, c.Process, c.Hash, c.Door, c.Tick, c.Other)
	}
	_ = t.Flush() // to a bytes.Buffer, which never fails
}
