package adapter

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rushgate/rushgate"
)

// nakama is the flow "email authentication" of Nakama, see
// https://heroiclabs.com/docs/nakama/concepts/authentication/ and apigrpc/apigrpc.swagger.json in
// https://github.com/heroiclabs/nakama. Meanings of errors are from server/api_authenticate.go and
// server/core_authenticate.go there; their codes are those of gRPC.
type nakama struct{ key string }

// Codes of gRPC, see https://grpc.io/docs/guides/status-codes/.
const (
	grpcInvalidArgument = 3
	grpcNotFound        = 5
	grpcAlreadyExists   = 6
	grpcUnauthenticated = 16
)

func (nakama) health() request { return request{method: http.MethodGet, path: "/healthcheck"} }

// register asks for an account to be created. Nakama logs in instead if the account exists and the password is right,
// which is no registration; it tells by the field "created".
func (n nakama) register(c *call, who credentials) (grant, error) {
	rep, err := n.authenticate(c, who, true)
	if err != nil {
		return grant{}, err
	}
	g, err := n.admit(rep)
	var body struct {
		Created bool `json:"created"`
	}
	exists := err == nil && rep.decode(&body) && !body.Created
	if exists || n.wrongPassword(rep) {
		return grant{}, rep.means(rushgate.UsernameTaken)
	}
	return g, err
}

func (n nakama) login(c *call, who credentials) (grant, error) {
	rep, err := n.authenticate(c, who, false)
	if err != nil {
		return grant{}, err
	}
	return n.admit(rep)
}

func (n nakama) authenticate(c *call, who credentials, create bool) (reply, error) {
	query := url.Values{"create": {strconv.FormatBool(create)}}
	if create {
		query.Set("username", who.name)
	}
	return c.send(request{
		method: http.MethodPost, path: "/v2/account/authenticate/email", query: query,
		header: map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(n.key+":"))},
		body: struct {
			Email    string `json:"email"`
			Password string `json:"password"`
		}{who.email, who.password},
	})
}

// nakamaError is the body of all refusals.
type nakamaError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// wrongPassword tells a wrong password from a wrong server key, which has the same status and code.
func (nakama) wrongPassword(rep reply) bool {
	var e nakamaError
	return rep.status == http.StatusUnauthorized && rep.decode(&e) && e.Code == grpcUnauthenticated &&
		e.Message == "Invalid credentials."
}

func (n nakama) admit(rep reply) (grant, error) {
	if rep.status == http.StatusOK {
		g, err := rep.admission("token")
		g.refresh = rep.text("refresh_token")
		return g, err
	}
	var e nakamaError
	if rep.status >= 500 || !rep.decode(&e) {
		return grant{}, rep.failure()
	}
	switch {
	case n.wrongPassword(rep), e.Code == grpcNotFound && e.Message == "User account not found.":
		return grant{}, rep.means(rushgate.BadCredentials)
	case e.Code == grpcAlreadyExists:
		return grant{}, rep.means(rushgate.UsernameTaken)
	case e.Code == grpcInvalidArgument:
		return grant{}, rep.means(rushgate.MissingCredentials)
	}
	return grant{}, rep.failure()
}

// logout ends the session, see https://heroiclabs.com/docs/nakama/concepts/session/.
func (nakama) logout(c *call, g grant) error {
	rep, err := c.send(request{
		method: http.MethodPost, path: "/v2/session/logout",
		header: map[string]string{"Authorization": "Bearer " + g.token},
		body: struct {
			Token   string `json:"token"`
			Refresh string `json:"refresh_token"`
		}{g.token, g.refresh},
	})
	if err != nil {
		return err
	}
	return rep.ended()
}
