package adapter

import (
	"net/http"
	"net/url"

	"github.com/rushgate/rushgate"
)

// kratos is the self-service flow for native apps of Ory Kratos with the method "password", on its public API: a flow
// is created, then submitted under its id, as in https://www.ory.com/docs/kratos/self-service/flows/user-login and
// https://www.ory.com/docs/kratos/self-service/flows/user-registration. An account has the one trait "email", as in
// the identity schema of Kratos's quickstart.
//
// Kratos also says where to submit a flow, as an absolute URL of its own configuration. Like Ory's own clients this
// goes by the flow's id and the base URL that it was given: no answer can send a password elsewhere.
type kratos struct{}

const (
	kratosLogin        = "/self-service/login"
	kratosRegistration = "/self-service/registration"
	kratosLogout       = "/self-service/logout/api"
)

// Message ids of Kratos, see https://www.ory.com/docs/kratos/concepts/ui-messages and text/id.go in
// https://github.com/ory/kratos.
const (
	kratosValidation           = 4000000 // from here to kratosFlows: the input is not valid
	kratosInvalidCredentials   = 4000006
	kratosDuplicateCredentials = 4000007
	kratosDuplicateWithHints   = 4000028
	kratosFlows                = 4010000
)

func (kratos) health() request { return request{method: http.MethodGet, path: "/health/alive"} }

// register makes the account. Kratos opens a session with it if it is told to: hook "session" after registration.
func (k kratos) register(c *call, who credentials) (grant, error) {
	type traits struct {
		Email string `json:"email"`
	}
	rep, err := k.flow(c, kratosRegistration, struct {
		Method   string `json:"method"`
		Password string `json:"password"`
		Traits   traits `json:"traits"`
	}{"password", who.password, traits{who.email}})
	if err != nil {
		return grant{}, err
	}
	if rep.status != http.StatusOK {
		return grant{}, k.failure(rep)
	}
	var body struct {
		Token    string `json:"session_token"`
		Identity struct {
			ID string `json:"id"`
		} `json:"identity"`
	}
	if rep.decode(&body) && body.Token == "" && body.Identity.ID != "" {
		return grant{}, nil
	}
	return rep.admission("session_token")
}

func (k kratos) login(c *call, who credentials) (grant, error) {
	rep, err := k.flow(c, kratosLogin, struct {
		Method     string `json:"method"`
		Identifier string `json:"identifier"`
		Password   string `json:"password"`
	}{"password", who.email, who.password})
	if err != nil {
		return grant{}, err
	}
	if rep.status != http.StatusOK {
		return grant{}, k.failure(rep)
	}
	return rep.admission("session_token")
}

// flow creates a flow and submits it. What it returns is the answer to the latter.
func (k kratos) flow(c *call, path string, submission any) (reply, error) {
	rep, err := c.send(request{method: http.MethodGet, path: path + "/api"})
	if err != nil {
		return reply{}, err
	}
	if rep.status != http.StatusOK {
		return reply{}, rep.failure()
	}
	id := rep.text("id")
	if !validFlow(id) {
		return reply{}, &strange{rep.status}
	}
	return c.send(request{
		method: http.MethodPost, path: path, query: url.Values{"flow": {id}}, body: submission,
	})
}

// validFlow accepts the text form of a UUID (RFC 9562) and whatever else looks like one.
func validFlow(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return id != "" && len(id) <= 64
}

// failure says what a refused submission means. The flow comes back with messages for the person who fills it in.
func (kratos) failure(rep reply) error {
	type message struct {
		ID int `json:"id"`
	}
	var body struct {
		UI struct {
			Messages []message `json:"messages"`
			Nodes    []struct {
				Messages []message `json:"messages"`
			} `json:"nodes"`
		} `json:"ui"`
	}
	if rep.status != http.StatusBadRequest || !rep.decode(&body) {
		return rep.failure()
	}
	messages := body.UI.Messages
	for _, n := range body.UI.Nodes {
		messages = append(messages, n.Messages...)
	}
	reason := rushgate.Reason("")
	for _, m := range messages {
		switch {
		case m.ID == kratosInvalidCredentials:
			return rep.means(rushgate.BadCredentials)
		case m.ID == kratosDuplicateCredentials, m.ID == kratosDuplicateWithHints:
			return rep.means(rushgate.UsernameTaken)
		case m.ID >= kratosValidation && m.ID < kratosFlows:
			reason = rushgate.MissingCredentials
		}
	}
	if reason != "" {
		return rep.means(reason)
	}
	return rep.failure()
}

// logout revokes the session, see performNativeLogout in https://www.ory.com/docs/kratos/reference/api. It succeeds if
// the session has been revoked before.
func (kratos) logout(c *call, g grant) error {
	rep, err := c.send(request{
		method: http.MethodDelete, path: kratosLogout,
		body: struct {
			Token string `json:"session_token"`
		}{g.token},
	})
	if err != nil {
		return err
	}
	return rep.ended()
}
