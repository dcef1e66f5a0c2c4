package main

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate/server"
)

// sample returns a value of a flag that is not its default.
func sample(t *testing.T, name string, v value) string {
	t.Helper()
	if name == "world" {
		return "../../world/default.json"
	}
	switch v := v.(type) {
	case *text, *words, *repeated:
		return "x"
	case *toggle:
		return "true"
	case *hexID:
		return "0x1"
	case *seed:
		return "1"
	case *number:
		return fmt.Sprint(v.low)
	case *numberAt:
		return fmt.Sprint(v.high) // the low end of some is the default
	case *boundAt, *neverAt:
		return "0"
	case *spanAt:
		return cmp.Or(v.low, v.high).String() // 0 is the default of some
	case *moment:
		return "2027-01-31T18:00:00Z"
	case *choiceAt[string]:
		return v.among[len(v.among)-1]
	case *choiceAt[server.Backend]:
		return string(server.Memory)
	case *choiceAt[server.OpaqueMode]:
		return string(server.OpaqueOnly)
	case *prefixes:
		return "192.0.2.0/24"
	case *zones:
		return "caves=192.0.2.1:1"
	case *urls:
		return "redis://192.0.2.1"
	}
	t.Fatalf("--%s is of a kind that this test does not know", name)
	return ""
}

// configOf returns what a command line makes of the configuration.
func configOf(t *testing.T, args []string) reflect.Value {
	t.Helper()
	v := newServeFlags()
	if err := v.declare().parse(args); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	cfg, err := v.config(t.Context(), io.Discard)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	cfg.Logger = nil // another one each time
	return reflect.ValueOf(cfg)
}

// differences returns the names of the fields in which two configurations differ.
func differences(a, b reflect.Value) (fields []string) {
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			fields = append(fields, a.Type().Field(i).Name)
		}
	}
	return fields
}

// Every flag of serve, and the variable that stands for it, changes one field of the node's configuration, and no two
// the same.
func TestEveryServeFlagHasAFieldOfItsOwn(t *testing.T) {
	owner := map[string]string{}
	f := newServeFlags().declare()
	for _, d := range f.declared {
		// TestServeFlags looks at what the logger does, TestDetach at what becomes of a node that is detached.
		if strings.HasPrefix(d.name, "log-") || d.name == "detach" || d.name == "config" {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			value := sample(t, d.name, f.valueOf(d.name))
			var others []string
			if strings.HasPrefix(d.name, "redis-") {
				others = []string{"--db=redis"}
			}
			without := configOf(t, others)
			fields := differences(configOf(t, append(others, "--"+d.name+"="+value)), without)
			if len(fields) != 1 {
				t.Fatalf("--%s=%s changes %q, want one field", d.name, value, fields)
			}
			if other, taken := owner[fields[0]]; taken && fields[0] != "RedisURLs" {
				t.Errorf("--%s and --%s both change %s", d.name, other, fields[0])
			}
			owner[fields[0]] = d.name
			for _, variable := range []string{d.env, d.variable()} {
				if variable == "" {
					continue
				}
				t.Setenv(variable, value)
				if got := differences(configOf(t, others), without); !slices.Equal(got, fields) {
					t.Errorf("%s=%s changes %q, want %q", variable, value, got, fields)
				}
				t.Setenv(variable, "")
			}
		})
	}
}
