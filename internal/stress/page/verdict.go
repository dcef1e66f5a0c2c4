package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/latency"
	"github.com/rushgate/rushgate/internal/stress/report"
)

// How a run went, which is also a class of the style sheet.
const (
	good = "good"
	fair = "fair" // not all got in, but all were told
	poor = "poor"
)

// ms writes a latency.
func ms(v float64) string { return show(report.UnitMillis, v) }

func seconds(v float64) string { return show(report.UnitSeconds, v) }

// verdict says in a sentence or two how a run went.
func verdict(r *report.Report) (sentence, rating string) {
	sentence, rating = admission(r)
	if s := r.Storm; s != nil && s.Dropped > 0 {
		sentence += " " + storm(s)
		if s.Back < s.Dropped {
			rating = poor
		}
	}
	if o := r.Outage; o != nil {
		sentence += " " + outageSentence(o)
		if o.NotBack > 0 {
			rating = poor
		}
	}
	if r.Flood != nil {
		sentence += " " + floodSentence(r.Flood)
	}
	if gone := r.Settled.Gone(); gone != "" {
		sentence += " " + gone
	}
	if r.WronglyIn > 0 {
		rating = poor
		sentence += fmt.Sprintf(" %s got in who should not have.", count(r.WronglyIn))
	}
	failed := 0
	for _, v := range r.Verdicts {
		if !v.OK {
			failed++
		}
	}
	if failed > 0 {
		rating = poor
		sentence += fmt.Sprintf(" %s of %s limits %s not kept.",
			count(failed), count(len(r.Verdicts)), pick(failed == 1, "was", "were"))
	}
	return sentence, rating
}

// admission says how many players got in, of those who should.
func admission(r *report.Report) (sentence, rating string) {
	players := r.Clients - r.Rejected - r.WronglyIn
	noun := pick(players == 1, "player", "players")
	switch {
	case r.Clients <= 0 && r.Interrupted:
		return "The run was interrupted before a player came.", poor
	case r.Clients <= 0:
		return "The report counts no players.", poor
	case players <= 0:
		return "Nobody came who should have got in.", fair
	case r.Interrupted:
		sentence = fmt.Sprintf("The run was interrupted; by then %s of the %s %s who had come had got in", count(r.OK),
			count(players), noun) + losses(r)
		if r.NotCome > 0 {
			sentence += fmt.Sprintf(" %s more were to come.", count(r.NotCome))
		}
		return sentence, poor
	case r.OK >= players && players == 1:
		return fmt.Sprintf("The one player got in, after %s.", seconds(r.WallSeconds)), good
	case r.OK >= players:
		return fmt.Sprintf("All %s players got in; the last one after %s.", count(players), seconds(r.WallSeconds)), good
	case r.OK <= 0:
		return fmt.Sprintf("None of the %s %s got in", count(players), noun) + losses(r), poor
	}
	sentence = fmt.Sprintf("%s of %s players got in", count(r.OK), count(players)) + losses(r)
	return sentence, pick(r.TimedOut+r.Dropped > 0, poor, fair)
}

// losses says what became of the players who did not get in, as the end of a sentence.
func losses(r *report.Report) string {
	failed := 0
	for _, n := range r.Failed {
		failed += n
	}
	var parts []string
	add := func(n int, before, after string) {
		if n > 0 {
			parts = append(parts, count(n)+before+after)
		}
	}
	were := func(n int, what string) { add(n, pick(n == 1, " was ", " were "), what) }
	were(r.Busy, "told busy to the end")
	were(r.RateLimited, "rate-limited")
	add(r.Expired, " expired", " in the queue")
	were(failed, "refused")
	add(r.TimedOut, " timed", " out")
	were(r.Dropped, "lost to broken connections")
	were(r.Unfinished, "at the door when the run was interrupted")
	switch n := len(parts); n {
	case 0:
		return "."
	case 1:
		return "; " + parts[0] + "."
	default:
		return "; " + strings.Join(parts[:n-1], ", ") + " and " + parts[n-1] + "."
	}
}

func storm(s *report.Storm) string {
	if s.Back >= s.Dropped {
		return fmt.Sprintf("All %s who were dropped were back %s later.", count(s.Dropped), seconds(s.LastBack))
	}
	return fmt.Sprintf("%s of the %s who were dropped came back, the last %s later.",
		count(s.Back), count(s.Dropped), seconds(s.LastBack))
}

func outageSentence(o *report.Outage) string {
	what := pick(o.Kind == report.OutageHandOver, "another process took the players over", "the server was killed")
	return fmt.Sprintf("When %s, %s of %s players kept their connection, %s connected again without a password, "+
		"%s logged in again and %s did not come back; the longest silence was %s at p99.", what,
		count(o.Kept), count(o.Players), count(o.Reconnected), count(o.ByPassword), count(o.NotBack),
		ms(ifAny(o.Gap, o.Gap.P99)))
}

// answersGist says what the answers were.
func answersGist(r *report.Report) string {
	a := r.Answers
	total := 0
	for _, k := range kinds {
		total += k.of(a)
	}
	if total <= 0 {
		return "What came of the players' tries."
	}
	var parts []string
	for _, k := range kinds {
		if n := k.of(a); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", count(n), k.name))
		}
	}
	return fmt.Sprintf("Of %s tries: %s.", count(total), strings.Join(parts, ", "))
}

func distributionGist(r *report.Report) string {
	if r.FirstAnswer.Count == 0 {
		return "No answer came."
	}
	gist := fmt.Sprintf("Half of the players had an answer within %s", ms(r.FirstAnswer.P50))
	if r.Success.Count > 0 {
		gist += fmt.Sprintf(", half of those let in were in within %s", ms(r.Success.P50))
	}
	return gist + "."
}

// tile is a figure that stands out.
type tile struct{ Name, Value, Detail, Class string }

// outcomeTiles tell what became of the players.
func outcomeTiles(r *report.Report) []tile {
	failed := 0
	for _, n := range r.Failed {
		failed += n
	}
	a := r.Answers
	list := []tile{
		{"In", count(r.OK), share(r.OK, r.Clients), "in"},
		{"Told busy", count(r.Busy), answers(a.Busy, "answers"), "busy"},
		{"Rate-limited", count(r.RateLimited), answers(a.RateLimited, "answers"), "limited"},
		{"Expired", count(r.Expired), answers(a.Expired, "answers"), "expired"},
		{"Failed", count(failed), answers(a.Refused, "refusals"), "refused"},
		{"Timed out", count(r.TimedOut), answers(a.TimedOut, "tries"), "timeout"},
		{"Dropped", count(r.Dropped), answers(a.Dropped, "tries"), "dropped"},
	}
	for _, t := range []struct {
		name, detail, class string
		n                   int
	}{
		{"Rightly refused", "wrong passwords, nonsense", "limited", r.Rejected},
		{"Wrongly in", "the same, let in", "dropped", r.WronglyIn},
		{"Unfinished", "when it was interrupted", "timeout", r.Unfinished},
	} {
		if t.n != 0 {
			list = append(list, tile{t.name, count(t.n), t.detail, t.class})
		}
	}
	for i := range list {
		if i > 0 && list[i].Value == "0" {
			list[i].Class += " none"
		}
	}
	return list
}

func answers(n int, what string) string { return count(n) + " " + what }

func share(n, of int) string {
	if of <= 0 {
		return "of no players"
	}
	return show(report.UnitShare, float64(n)/float64(of)) + " of " + count(of)
}

// speedTiles tell how fast it went.
func speedTiles(r *report.Report) []tile {
	lateness := tile{"Tick lateness p99", "–", "no figures of the server", "world"}
	if s := r.Server; s != nil && s.Lateness.Count > 0 {
		lateness = tile{"Tick lateness p99", ms(s.Lateness.P99), "max " + ms(s.Lateness.Max), "world"}
	}
	attempts := tile{"Attempts per success", "–", count(r.Tries) + " attempts", ""}
	if r.TriesPerSuccess > 0 {
		attempts.Value = show(report.UnitRatio, r.TriesPerSuccess)
	}
	rate := strings.TrimSuffix(show(report.UnitPerSecond, r.LoginsPerSecond), "/s")
	unanswered := count(r.Probe.Failed + r.Probe.Skipped)
	figure := func(name string, s latency.Summary, detail, class string) tile {
		return tile{name, show(report.UnitMillis, p99(s)), detail, class}
	}
	median := func(s latency.Summary) string { return "p50 " + show(report.UnitMillis, p50(s)) }
	var list []tile
	if r.Flood != nil {
		list = floodTiles(r.Flood)
	}
	return append(list, []tile{
		attempts,
		{"Logins per second", rate, "in " + seconds(r.WallSeconds), ""},
		figure("First answer p99", r.FirstAnswer, median(r.FirstAnswer), "answer"),
		figure("Success p99", r.Success, median(r.Success), "in"),
		figure("Probe p99", r.Probe.Latency, unanswered+" unanswered", "probe"),
		lateness,
	}...)
}

// limits are verdicts as rows.
func limits(verdicts []report.Verdict) (list []limit) {
	for _, v := range verdicts[:min(len(verdicts), maxRows)] {
		text, got := v.Plain()
		list = append(list, limit{clean(text, maxText), strings.ReplaceAll(cmp.Or(got, "not measured"), " ", "\u00a0"), v.OK})
	}
	return list
}

type limit struct {
	Text, Got string
	OK        bool
}

// reasons returns the reasons for which players were refused, the most frequent first.
func reasons(failed map[string]int) []string {
	list := slices.SortedFunc(maps.Keys(failed), func(a, b string) int {
		return cmp.Or(failed[b]-failed[a], strings.Compare(a, b))
	})
	return list[:min(len(list), maxRows)]
}
