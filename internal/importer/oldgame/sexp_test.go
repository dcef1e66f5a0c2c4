package oldgame

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

// print writes a node as the parser would read it again.
func (n node) print() string {
	switch n.kind {
	case kindNil:
		return "NIL"
	case kindTrue:
		return "T"
	case kindKeyword:
		return ":" + n.text
	case kindString:
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(n.text) + `"`
	case kindInteger:
		return strconv.FormatInt(n.integer, 10)
	case kindFloat:
		s := strings.Replace(strconv.FormatFloat(n.float, 'g', -1, 64), "e", "d", 1)
		if !strings.ContainsAny(s, ".d") {
			s += ".0"
		}
		return s
	default:
		var words []string
		for _, e := range n.list {
			words = append(words, e.print())
		}
		return "(" + strings.Join(words, " ") + ")"
	}
}

func TestParse(t *testing.T) {
	tests := []struct{ give, want string }{
		{"NIL", "NIL"},
		{"()", "NIL"},
		{"( \n\t)", "NIL"},
		{"T", "T"},
		{" \r\n\f:ZONE-42\n", ":ZONE-42"},
		{`"bob"`, `"bob"`},
		{`""`, `""`},
		{`"a \"b\" \\ c"`, `"a \"b\" \\ c"`},
		{`"\""`, `"\""`},
		{"\"line\nbreak ; (no) #.comment :A 'b\"", "\"line\nbreak ; (no) #.comment :A 'b\""},
		{`"żółw 🐉"`, `"żółw 🐉"`},
		{"(1 -2 +3 007 -0)", "(1 -2 3 7 0)"},
		{"9223372036854775807", "9223372036854775807"},
		{"(:A(:B 1):C\"x\")", `(:A (:B 1) :C "x")`},
		{"(NIL NIL NIL :RUSTY-PIPE NIL NIL)", "(NIL NIL NIL :RUSTY-PIPE NIL NIL)"},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			n, err := parse(tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if got := n.print(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseFloat(t *testing.T) {
	tests := []struct {
		give string
		want float64
	}{
		{"112.5", 112.5}, {"1.0d0", 1}, {"2.5e-4", 0.00025}, {"-3.25f0", -3.25}, {"1.0s0", 1}, {"1.0l0", 1},
		{"1.0D+2", 100}, {"1d2", 100}, {"1.e2", 100}, {".5", 0.5}, {"+.5E1", 5}, {"0.1", 0.1}, {"1.0d-300", 1e-300},
		{"-0.0", math.Copysign(0, -1)}, {"1.7976931348623157d308", math.MaxFloat64},
	}
	for _, tt := range tests {
		n, err := parse(tt.give)
		if err != nil || n.kind != kindFloat || n.float != tt.want || math.Signbit(n.float) != math.Signbit(tt.want) {
			t.Errorf("%s: got %v %g, %v, want %g", tt.give, n.kind, n.float, err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		give, want   string
		line, column int
	}{
		{"", "ends too early", 1, 1},
		{" \n ", "ends too early", 2, 2},
		{"(:A 1", "closing parenthesis", 1, 1},
		{"(:A\n (1 2", "closing parenthesis", 2, 2},
		{")", "without an opening one", 1, 1},
		{"(1) (2)", "follows the value", 1, 5},
		{"NIL)", "follows the value", 1, 4},
		{`(:A "x`, "closing quote", 1, 5},
		{`"x\"`, "closing quote", 1, 1},
		{`"x\n"`, "backslash", 1, 3},
		{`"x\`, "backslash", 1, 3},
		{"(:X\n  #.(delete-file \"/\"))", "evaluation", 2, 3},
		{"#.1", "nothing is evaluated", 1, 1},
		{"#(1 2)", "reader macro #", 1, 1},
		{"#S(PLAYER :ID 1)", "reader macro #", 1, 1},
		{"(1 #|c|# 2)", "reader macro #", 1, 4},
		{"'x", "reader macro '", 1, 1},
		{"`(1 ,x)", "reader macro `", 1, 1},
		{"(1 ,2)", "reader macro ,", 1, 4},
		{"(1 ; x\n)", "comment", 1, 4},
		{"|NIL|", "escaped", 1, 1},
		{`\NIL`, "escaped", 1, 1},
		{"nil", "symbol", 1, 1},
		{"FOO", "symbol", 1, 1},
		{"CL:NIL", "symbol", 1, 1},
		{"(1 . 2)", "dotted pair", 1, 4},
		{"1/2", "ratio", 1, 1},
		{"-10/3", "ratio", 1, 1},
		{"1/", "neither", 1, 1},
		{"1.", "neither", 1, 1},
		{"+", "neither", 1, 1},
		{"...", "neither", 1, 1},
		{".d0", "neither", 1, 1},
		{"1.0d", "neither", 1, 1},
		{"1.0d0x", "neither", 1, 1},
		{"1.0.0", "neither", 1, 1},
		{"1_000", "neither", 1, 1},
		{"0x10", "neither", 1, 1},
		{"1.0d400", "out of range", 1, 1},
		{"9223372036854775808", "64 bits", 1, 1},
		{"1" + strings.Repeat("0", 64), "more than 64 characters", 1, 1},
		{":", "keyword", 1, 1},
		{"::A", "keyword", 1, 2},
		{":zone", "keyword", 1, 2},
		{":ZONE|x|", "keyword", 1, 6},
		{":" + strings.Repeat("A", 65), "keyword", 1, 1},
		{"(:A \x00)", "symbol", 1, 5},
		{"(\"\xff\")", "UTF-8", 1, 3},
		{strings.Repeat("(", 17) + strings.Repeat(")", 17), "16 deep", 1, 17},
		{"(" + strings.Repeat("1 ", 4097) + ")", "4096 elements", 1, 8194},
		{"\"" + strings.Repeat("x", maxValueLen) + "\"", "longer than", 1, maxValueLen + 1},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprintf("%d %.20q", i, tt.give), func(t *testing.T) {
			_, err := parse(tt.give)
			e, ok := errors.AsType[*ValueError](err)
			if !ok || !strings.Contains(e.Problem, tt.want) || e.Line != tt.line || e.Column != tt.column {
				t.Errorf("got %v, want line %d, column %d: %s", err, tt.line, tt.column, tt.want)
			}
		})
	}
}

// What has been read prints as something that reads the same, and no input takes more than its bounds.
func FuzzParse(f *testing.F) {
	for _, r := range fileRecords(f) {
		f.Add(r.Value)
	}
	for _, s := range []string{
		"(1 -2.5e-4 1.0d0 :A-B \"\\\"\\\\\" T NIL ())", "#.(quit)", "(1 . 2)", "1/2", "((((((((((((((((", "\"\\", "-.5s-3",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parse(s)
		if err != nil {
			e, ok := errors.AsType[*ValueError](err)
			if !ok || e.Line < 1 || e.Column < 1 || len(err.Error()) > 200 {
				t.Fatalf("error %v", err)
			}
			return
		}
		printed := n.print()
		again, err := parse(printed)
		if err != nil && len(printed) <= maxValueLen && !strings.Contains(err.Error(), "a number of more") {
			t.Fatalf("%s: %v", printed, err)
		}
		if err == nil && again.print() != printed {
			t.Errorf("%s became %s", printed, again.print())
		}
	})
}
