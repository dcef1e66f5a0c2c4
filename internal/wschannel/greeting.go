package wschannel

import (
	"errors"

	"github.com/rushgate/rushgate/internal/strictjson"
)

// errGreeting refuses a first message. What was wrong is not told in detail: the message holds a secret.
var errGreeting = errors.New(`wschannel: the first message is not {"session_token":"…"}`)

// parseGreeting returns the session token in a client's first message, a JSON object with that field and no other.
func parseGreeting(message []byte) (token string, err error) {
	fields, err := strictjson.Object(message, strictjson.Field{Name: "session_token"})
	if err != nil || fields.String("session_token") == "" {
		return "", errGreeting
	}
	return fields.String("session_token"), nil
}
