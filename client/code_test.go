package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/client"
)

const wantsCode = `{"reason":"second-factor","message":"A code is needed."}`

// codes is a server that asks for a code, and records what it was sent.
type codes struct {
	good   string
	bodies []string
}

func (c *codes) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.bodies = append(c.bodies, string(body))
	if c.good != "" && strings.Contains(string(body), `"code":"`+c.good+`"`) {
		return says(200, granted)(r)
	}
	return says(401, wantsCode)(r)
}

func newCoder(t *testing.T, server *codes, code func(context.Context) (string, error)) *client.Client {
	t.Helper()
	c, err := client.New("http://node.example", client.Options{
		Transport: server, NoLine: true, Code: code, AttemptID: func() string { return "attempt" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A player whose account asks for a code is asked once the password has proved right, or what is shown in its place,
// and again if the code was wrong.
func TestLoginAsksForACode(t *testing.T) {
	identity, err := client.ParseIdentityProof("proof")
	if err != nil {
		t.Fatal(err)
	}
	type try = func(*client.Client) (*client.Session, error)
	for name, login := range map[string]try{
		"by a password": func(c *client.Client) (*client.Session, error) { return c.Login(t.Context(), "ada", password) },
		"as a guest":    func(c *client.Client) (*client.Session, error) { return c.Guest(t.Context(), client.NewGuest()) },
		"by an identity": func(c *client.Client) (*client.Session, error) {
			return c.LoginWithIdentity(t.Context(), identity)
		},
	} {
		server := &codes{good: "222222"}
		typed := []string{"111111", "222222"}
		c := newCoder(t, server, func(context.Context) (string, error) {
			code := typed[0]
			typed = typed[1:]
			return code, nil
		})
		if _, err := login(c); err != nil || len(typed) != 0 {
			t.Errorf("%s: %v, %d codes left", name, err, len(typed))
		}
		if len(server.bodies) != 3 || strings.Contains(server.bodies[0], "code") {
			t.Errorf("%s: the server was sent %q", name, server.bodies)
		}
		for i, body := range server.bodies {
			if !strings.Contains(body, `"attempt_id":"attempt"`) {
				t.Errorf("%s: try %d is of another attempt: %s", name, i, body)
			}
		}
	}
}

// Where nobody can be asked, or no code is right, the login ends, and says why.
func TestLoginWithoutACode(t *testing.T) {
	gone := errors.New("the player has closed the window")
	for name, test := range map[string]struct {
		code  func(context.Context) (string, error)
		tries int
		want  error
	}{
		"nobody to ask": {nil, 1, rushgate.SecondFactor},
		"always wrong":  {func(context.Context) (string, error) { return "111111", nil }, 4, rushgate.SecondFactor},
		"given up":      {func(context.Context) (string, error) { return "", gone }, 1, gone},
	} {
		server := &codes{}
		_, err := newCoder(t, server, test.code).Login(t.Context(), "ada", password)
		if !errors.Is(err, test.want) || !errors.Is(err, rushgate.SecondFactor) || len(server.bodies) != test.tries {
			t.Errorf("%s: %v after %d tries, want %v after %d", name, err, len(server.bodies), test.want, test.tries)
		}
		if err != nil && strings.Contains(err.Error(), "111111") {
			t.Errorf("%s: the error repeats the code", name)
		}
	}
}

// A registration has no code to bring, whatever it is answered.
func TestRegistrationAsksForNoCode(t *testing.T) {
	server := &codes{}
	asked := false
	c := newCoder(t, server, func(context.Context) (string, error) { asked = true; return "111111", nil })
	_, err := c.Register(t.Context(), "ada", password)
	if !errors.Is(err, rushgate.SecondFactor) || asked || slices.ContainsFunc(server.bodies, func(b string) bool {
		return strings.Contains(b, "code")
	}) {
		t.Errorf("register: %v, asked %v, sent %q", err, asked, server.bodies)
	}
}
