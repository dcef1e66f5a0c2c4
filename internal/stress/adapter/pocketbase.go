package adapter

import (
	"net/http"

	"github.com/rushgate/rushgate"
)

// pocketBase is PocketBase's records API: an account is a record of an auth collection. Both endpoints and their errors
// are in https://pocketbase.io/docs/api-records/, the other one in https://pocketbase.io/docs/api-health/.
type pocketBase struct{ collection string }

func (pocketBase) health() request { return request{method: http.MethodGet, path: "/api/health"} }

// register creates the account; PocketBase opens sessions by login only.
func (p pocketBase) register(c *call, who credentials) (grant, error) {
	rep, err := c.send(request{
		method: http.MethodPost, path: "/api/collections/" + p.collection + "/records",
		body: struct {
			Email    string `json:"email"`
			Password string `json:"password"`
			Confirm  string `json:"passwordConfirm"`
		}{who.email, who.password, who.password},
	})
	if err != nil {
		return grant{}, err
	}
	if rep.status == http.StatusOK && rep.text("id") != "" {
		return grant{}, nil
	}
	if e, ok := pocketBaseInvalid(rep); ok {
		switch {
		case e.Data["email"].Code == "validation_not_unique":
			return grant{}, rep.means(rushgate.UsernameTaken)
		case len(e.Data) > 0:
			return grant{}, rep.means(rushgate.MissingCredentials)
		}
	}
	return grant{}, rep.failure()
}

func (p pocketBase) login(c *call, who credentials) (grant, error) {
	rep, err := c.send(request{
		method: http.MethodPost, path: "/api/collections/" + p.collection + "/auth-with-password",
		body: struct {
			Identity string `json:"identity"`
			Password string `json:"password"`
		}{who.email, who.password},
	})
	if err != nil {
		return grant{}, err
	}
	if rep.status == http.StatusOK {
		return rep.admission("token")
	}
	if e, ok := pocketBaseInvalid(rep); ok {
		switch {
		case e.Message == "Failed to authenticate.":
			return grant{}, rep.means(rushgate.BadCredentials)
		case len(e.Data) > 0:
			return grant{}, rep.means(rushgate.MissingCredentials)
		}
	}
	return grant{}, rep.failure()
}

// pocketBaseError is the body of a refusal. Data says what is wrong with which field of the request; it is empty if the
// fault is elsewhere, in the database for instance, although the status is 400 for that too.
type pocketBaseError struct {
	Message string `json:"message"`
	Data    map[string]struct {
		Code string `json:"code"`
	} `json:"data"`
}

func pocketBaseInvalid(rep reply) (e pocketBaseError, ok bool) {
	ok = rep.status == http.StatusBadRequest && rep.decode(&e)
	return e, ok
}

// logout needs nothing of the server: its tokens are good until they expire.
func (pocketBase) logout(*call, grant) error { return nil }
