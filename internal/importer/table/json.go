package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// allowance lets so many bytes be read until it is renewed, so that no value in JSON is longer.
type allowance struct {
	r    io.Reader
	left int
}

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errRow
	}
	n, err := a.r.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}

func (a *allowance) renew() { a.left = MaxRowLen }

var errNoList = errors.New("there is no list of rows in the JSON")

// readJSON visits the objects of a list in a JSON document.
func readJSON(r io.Reader, q *Query, visit func(Row) bool) error {
	in := &allowance{r: r}
	in.renew()
	d := json.NewDecoder(in)
	d.UseNumber()
	if q.List != "" {
		for name := range strings.SplitSeq(q.List, ".") {
			if err := descend(d, in, name); err != nil {
				return err
			}
		}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return fmt.Errorf("%w: %q is not a list", errNoList, q.List)
	}
	for d.More() {
		in.renew()
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return broken(d, err)
		}
		row := Row{Done: d.InputOffset()}
		if row.Values, row.Err = object(raw); !visit(row) {
			return nil
		}
	}
	if _, err := d.Token(); err != nil {
		return broken(d, err)
	}
	return nil
}

// descend goes to the value of a name in an object.
func descend(d *json.Decoder, in *allowance, name string) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%w: nothing has a %q", errNoList, name)
	}
	for d.More() {
		in.renew()
		t, err := d.Token()
		if err != nil {
			return broken(d, err)
		}
		if t == name {
			return nil
		}
		if err := skipValue(d, in); err != nil {
			return broken(d, err)
		}
	}
	return fmt.Errorf("%w: nothing has a %q", errNoList, name)
}

// skipValue skips a value of any length.
func skipValue(d *json.Decoder, in *allowance) error {
	for depth := 0; ; {
		in.renew()
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// broken is the error for a document that is not JSON, without what stands in it.
func broken(d *json.Decoder, err error) error {
	if errors.Is(err, errRow) {
		return fmt.Errorf("byte %d of the JSON: %w", d.InputOffset(), err)
	}
	return fmt.Errorf("byte %d of the JSON: it is not JSON, or not all there", d.InputOffset())
}
