package credential_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/credential"
)

// What is stored is read again by every later version: these values must never need to change.
func TestStoredForm(t *testing.T) {
	for want, credentials := range map[string][]rushgate.Credential{
		"":                            nil,
		`[{"kind":"passkey"}]`:        {{Kind: "passkey"}},
		`[{"kind":"a"},{"kind":"b"}]`: {{Kind: "a"}, {Kind: "b"}},
		`[{"kind":"federated","provider":"https://id.example","subject":"4711","secret":"s"}]`: {
			{Kind: "federated", Provider: "https://id.example", Subject: "4711", Secret: "s"},
		},
	} {
		got, err := credential.Marshal(credentials)
		if err != nil || got != want {
			t.Errorf("%+v is stored as %s, %v; want %s", credentials, got, err, want)
		}
		if back, err := credential.Unmarshal(want); err != nil || !slices.Equal(back, credentials) {
			t.Errorf("%s is read as %+v, %v", want, back, err)
		}
	}
}

func TestUnreadable(t *testing.T) {
	const secret = "hunter22"
	for _, s := range []string{
		secret, `"` + secret + `"`, `[`, `[]`, `{}`, `[{"kind":""}]`, `[{"secret":"` + secret + `"}]`, `[{"kind":1}]`,
		`[{"kind":"a"}] ` + secret, "[" + strings.Repeat(`{"kind":"a"},`, rushgate.MaxCredentials) + `{"kind":"a"}]`,
	} {
		got, err := credential.Unmarshal(s)
		if err == nil || got != nil {
			t.Errorf("%s is read as %+v", s, got)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}

// What can be read is written so that it reads the same.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{"", "[]", `[{"kind":"a","secret":"\u00e9"}]`, `[{"kind":"a"},{"KIND":"b"}]`, "[null]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		credentials, err := credential.Unmarshal(s)
		if err != nil {
			return
		}
		written, err := credential.Marshal(credentials)
		if err != nil {
			t.Fatal(err)
		}
		again, err := credential.Unmarshal(written)
		if err != nil || !slices.Equal(credentials, again) {
			t.Errorf("%q is read as %+v, written as %q, and read as %+v, %v", s, credentials, written, again, err)
		}
	})
}
