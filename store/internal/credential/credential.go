// Package credential writes the credentials that an account has beside its password as one value, for the stores.
package credential

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rushgate/rushgate"
)

// Marshal returns credentials as a JSON array, and the empty string if there are none.
func Marshal(credentials []rushgate.Credential) (string, error) {
	if len(credentials) == 0 {
		return "", nil
	}
	b, err := json.Marshal(credentials)
	return string(b), err
}

// errForm says nothing of the value, which may hold a secret.
var errForm = errors.New("not a JSON array of credentials")

// Unmarshal reads what Marshal has returned. Its errors never repeat what was read.
func Unmarshal(s string) ([]rushgate.Credential, error) {
	if s == "" {
		return nil, nil
	}
	var credentials []rushgate.Credential
	if json.Unmarshal([]byte(s), &credentials) != nil {
		return nil, errForm
	}
	if n := len(credentials); n == 0 || n > rushgate.MaxCredentials {
		return nil, fmt.Errorf("%d credentials, want 1 to %d", n, rushgate.MaxCredentials)
	}
	for i, c := range credentials {
		if c.Kind == "" {
			return nil, fmt.Errorf("credential %d has no kind", i+1)
		}
	}
	return credentials, nil
}
