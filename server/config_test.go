package server_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate/server"
)

// fieldDocs returns what is said of each field of server.Config, on one line each.
func fieldDocs(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "Config" {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			for _, name := range f.Names {
				docs[name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
			}
		}
		return false
	})
	if len(docs) == 0 {
		t.Fatal("there is no Config")
	}
	return docs
}

// written returns a number or duration as the documentation writes it: 10,000 or 25 s.
func written(v any) string {
	if d, ok := v.(time.Duration); ok {
		if d >= time.Hour {
			return fmt.Sprintf("%d h", d/time.Hour)
		}
		return fmt.Sprintf("%d s", d/time.Second)
	}
	s := fmt.Sprint(v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// An embedder reads in the documentation of each field what its range and its default are.
func TestConfigDocumentsRangesAndDefaults(t *testing.T) {
	docs := fieldDocs(t)
	cfg := server.DefaultConfig()
	fields := reflect.ValueOf(&cfg).Elem()
	for i := range fields.NumField() {
		name, def := fields.Type().Field(i).Name, any(nil)
		var low, high any
		switch at := fields.Field(i).Addr().Interface().(type) {
		case *int:
			l, h := cfg.IntRange(at)
			low, high, def = max(l, 1), h, *at
		case *time.Duration:
			l, h := cfg.DurationRange(at)
			low, high, def = max(l, time.Second), h, *at
			if at == &cfg.GuestKeep { // nobody is a guest for a minute; see validate
				low = time.Hour
			}
		default:
			continue
		}
		if want := written(low) + " to " + written(high); !strings.Contains(docs[name], want) {
			t.Errorf("%s: the range is %s, documented is %q", name, want, docs[name])
		}
		if want := "Default " + written(def); name != "SnapshotWorkers" && !strings.Contains(docs[name], want) {
			t.Errorf("%s: want %q, documented is %q", name, want, docs[name])
		}
	}
}

// The documentation of an exported name refers to nothing that an embedder cannot import.
func TestConfigDocumentsNothingInternal(t *testing.T) {
	for name, doc := range fieldDocs(t) {
		for _, internal := range []string{"[admin.", "[api.", "[auth.", "[realm.", "[wschannel.", "[door."} {
			if strings.Contains(doc, internal) {
				t.Errorf("%s refers to %s…]: %q", name, internal, doc)
			}
		}
	}
}

// No number is taken beyond its range.
func TestNumbersOfTheConfigHaveRanges(t *testing.T) {
	cfg := config(t, t.TempDir())
	fields := reflect.ValueOf(&cfg).Elem()
	for i := range fields.NumField() {
		changed := cfg
		switch at := reflect.ValueOf(&changed).Elem().Field(i).Addr().Interface().(type) {
		case *int:
			_, high := changed.IntRange(at)
			*at = high + 1
		case *time.Duration:
			_, high := changed.DurationRange(at)
			*at = high + 1
		default:
			continue
		}
		s, err := server.Start(t.Context(), changed)
		if err == nil {
			s.Stop()
		}
		if !errors.Is(err, server.ErrInvalidConfig) {
			t.Errorf("%s was taken beyond its range", fields.Type().Field(i).Name)
		}
	}
}
