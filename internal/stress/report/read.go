package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Bounds of a report's JSON. An object or a list entry takes more memory than its text, up to some hundred times, so
// that both are bounded by number too; a report of a day in intervals of a second stays below.
const (
	maxReport  = 256 << 20 // bytes
	maxObjects = 1 << 20
	maxEntries = 16 << 20
)

// ErrNotReport is wrapped by the errors of [Read] when what was read is not the JSON of a [Report].
var ErrNotReport = errors.New("not a report of a stress run")

// Read reads one report in JSON, at most 256 MiB, up to the end of r. Fields that it does not know are ignored, so
// that reports of newer versions can be read; those that older versions did not write stay zero. The error is that of
// r, or wraps [ErrNotReport] and says what is wrong.
func Read(r io.Reader) (*Report, error) { return readReport(r, maxReport) }

func readReport(r io.Reader, limit int) (*Report, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("stress: reading a report: %w", err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("stress: %w: more than %d bytes", ErrNotReport, limit)
	}
	rep := new(Report)
	if err := parseReport(data, rep); err != nil {
		return nil, fmt.Errorf("stress: %w: %w", ErrNotReport, err)
	}
	return rep, nil
}

func parseReport(data []byte, rep *Report) error {
	switch {
	case bytes.Count(data, []byte("{")) > maxObjects:
		return fmt.Errorf("more than %d objects", maxObjects)
	case bytes.Count(data, []byte(",")) > maxEntries:
		return fmt.Errorf("more than %d values", maxEntries)
	}
	if err := json.Unmarshal(data, rep); err != nil {
		return err
	}
	switch {
	case rep.Scenario == "":
		return errors.New(`no "scenario"`)
	case rep.Mode == "":
		return errors.New(`no "mode"`)
	}
	for _, count := range []struct {
		name string
		n    int
	}{
		{"clients", rep.Clients}, {"ok", rep.OK}, {"busy", rep.Busy}, {"rate_limited", rep.RateLimited},
		{"expired", rep.Expired},
		{"rejected", rep.Rejected}, {"wrongly_in", rep.WronglyIn}, {"timed_out", rep.TimedOut}, {"dropped", rep.Dropped},
		{"unfinished", rep.Unfinished}, {"tries", rep.Tries},
	} {
		if count.n < 0 {
			return fmt.Errorf("%q is %d", count.name, count.n)
		}
	}
	return nil
}
