// Package cursor says how far a walk through names in their order has come, for stores that return them so.
package cursor

import (
	"encoding/base64"
	"errors"
	"strings"
)

// After returns the cursor of a walk that goes on after a name. It is safe in a URL.
func After(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

// errForm says nothing of the cursor, which may be anything.
var errForm = errors.New("cursor is none that this walk has returned")

// From returns the first string that a walk with a cursor may return, in the order of bytes: the walk goes through the
// names that begin with prefix. The empty cursor begins one.
func From(prefix, cursor string) (string, error) {
	if cursor == "" {
		return prefix, nil
	}
	name, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(name) == 0 || !strings.HasPrefix(string(name), prefix) || After(string(name)) != cursor {
		return "", errForm
	}
	return string(name) + "\x00", nil // nothing is between a name and this
}
