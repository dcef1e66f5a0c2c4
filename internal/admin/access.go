package admin

import (
	"context"
	"net/http"

	"github.com/rushgate/rushgate/internal/operator"
)

// person is who makes a request.
type person struct {
	name string
	role operator.Role
	over context.Context // ends when the person may ask no longer; what was begun ends with it
}

// passerby is who reaches a listener that asks for no token.
func passerby(role operator.Role) person { return person{operator.Local, role, context.Background()} }

type personKey struct{}

// personOf returns who makes the request of a context. The zero person may do nothing.
func personOf(ctx context.Context) person {
	who, _ := ctx.Value(personKey{}).(person)
	return who
}

// access knows whose token is whose.
type access struct {
	token *Token         // of the node's own file; nil: it has none
	roll  *operator.Roll // nil: there are no operators but who has the token
}

// unasked reports whether the listener, which then is on loopback, asks for no token. From the first operator on it
// does, and it does while a node cannot know whether there are any.
func (a *access) unasked() bool { return a.token == nil && (a.roll == nil || a.roll.Empty()) }

// scrapes reports whether a request is one for metrics that need no token on a node without one of its own: they were
// there before there were operators, and hold nothing of a player.
func (a *access) scrapes(r *http.Request) bool { return a.token == nil && r.URL.Path == "/metrics" }

// identify returns whose token that is, in a time that tells nothing of it.
func (a *access) identify(presented string) (who person, ok bool) {
	if a.roll != nil {
		if found, right := a.roll.Find(presented); right {
			who, ok = person{found.Name, found.Role, found.Over}, true
		}
	}
	if a.token != nil {
		if over, right := a.token.matches(presented); right {
			who, ok = person{operator.Root, operator.All, over}, true
		}
	}
	return who, ok
}
