package table

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// allowance lets so many bytes be read until it is renewed, so that nothing in XML is longer.
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

// readXML visits the elements of a name. The elements in each are its values, and so are its attributes; what those
// hold in their turn is left out.
func readXML(r io.Reader, q *Query, visit func(Row) bool) error {
	in := &allowance{r: r}
	in.renew()
	d := xml.NewDecoder(in)
	found := false
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return brokenXML(d, err)
		}
		in.renew()
		start, ok := t.(xml.StartElement)
		if !ok || start.Name.Local != q.Table {
			continue
		}
		found = true
		line, _ := d.InputPos()
		values, err := element(d, &start)
		if err != nil && !errors.Is(err, errValue) {
			return brokenXML(d, err)
		}
		if !visit(Row{Values: values, Line: line, Done: d.InputOffset(), Err: err}) {
			return nil
		}
	}
	if !found {
		return fmt.Errorf("%w: no element <%s>", ErrNoTable, q.Table)
	}
	return nil
}

// element reads the values of an element up to its end.
func element(d *xml.Decoder, start *xml.StartElement) (values map[string]any, err error) {
	values = map[string]any{}
	for _, a := range start.Attr {
		values[a.Name.Local] = a.Value
	}
	var name string
	var text strings.Builder
	for depth := 0; ; {
		t, terr := d.Token()
		if terr != nil {
			return nil, terr
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				name = t.Name.Local
				text.Reset()
			}
		case xml.CharData:
			if depth == 1 && text.Len()+len(t) <= MaxValueLen {
				text.Write(t)
			} else if depth == 1 {
				err = inColumn(name, errValue)
			}
		case xml.EndElement:
			if depth == 0 {
				return values, err
			}
			if depth--; depth == 0 && len(values) < MaxColumns {
				values[name] = text.String()
			}
		}
	}
}

func brokenXML(d *xml.Decoder, err error) error {
	line, _ := d.InputPos()
	if errors.Is(err, errRow) {
		return fmt.Errorf("line %d of the XML: %w", line, err)
	}
	return fmt.Errorf("line %d of the XML: it is not XML, or not all there", line)
}
