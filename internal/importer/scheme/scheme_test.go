package scheme

import (
	"fmt"
	"testing"
)

// Every vector of every family is recognised, its password is accepted, and others are not.
func TestVectors(t *testing.T) {
	all := Builtin()
	for _, f := range all.Families() {
		for i, v := range f.Vectors {
			t.Run(fmt.Sprintf("%s/%d/%s", f.Family, i+1, v.System), func(t *testing.T) {
				p, err := all.Recognise(v.Record)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: %s, %v", p.Scheme, p.Recipe.Primitives(), p.Recipe.Cost())
				if !p.Is(v.Password) {
					t.Errorf("%s does not accept the password", p.Scheme)
				}
				if p.Is("x" + v.Password) {
					t.Errorf("%s accepts a wrong password", p.Scheme)
				}
			})
		}
	}
}
