package admin

import (
	"fmt"
	"math"
	"time"
)

// anybody writes a number of people, or the word for none.
func anybody(n int, nobody string, write func(int) string) string {
	if n == 0 {
		return nobody
	}
	return write(n)
}

// counted writes a number before what there are so many of, in the words for one or for more.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + more
}

// wait says how many wait, as the subject of a sentence.
func wait(n int) string {
	return anybody(n, "Nobody waits", func(n int) string { return counted(n, "player waits", "players wait") })
}

func players(n int) string { return counted(n, "player", "players") }

// grouped writes a number with a thin space between thousands.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	return digits
}

// seconds writes a wait in whole seconds, at least one.
func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", max(math.Round(d.Seconds()), 1)) }

// those says how many players something is so of.
func those(n int) string { return counted(n, "player is", "players are") }

// characters says how many wait.
func characters(n int) string { return counted(n, "character waits", "characters wait") }

// millis writes a time in milliseconds to two significant figures, from 1 s on in seconds.
func millis(ms float64) string {
	switch {
	case ms >= 1000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 1:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}
