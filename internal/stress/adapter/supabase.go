package adapter

import (
	"net/http"
	"net/url"

	"github.com/rushgate/rushgate"
)

// supabase is sign-up and password sign-in of Supabase Auth, see openapi.yaml in https://github.com/supabase/auth for
// the endpoints and https://supabase.com/docs/guides/auth/debugging/error-codes for the codes of errors. Paths are
// those of the service itself; a hosted project has them below /auth/v1, which is part of the client's base URL.
type supabase struct{ key string }

func (s supabase) health() request {
	return request{method: http.MethodGet, path: "/health", header: s.header()}
}

// header has the API key by which the gateway of a hosted project knows the project.
func (s supabase) header() map[string]string {
	if s.key == "" {
		return nil
	}
	return map[string]string{"apikey": s.key}
}

// register signs up. If addresses have to be confirmed by mail (GOTRUE_MAILER_AUTOCONFIRM=false), the answer is an
// account without a session, whether the name was free or not: nothing that the load could go on with.
func (s supabase) register(c *call, who credentials) (grant, error) {
	return s.send(c, who, "/signup", nil)
}

func (s supabase) login(c *call, who credentials) (grant, error) {
	return s.send(c, who, "/token", url.Values{"grant_type": {"password"}})
}

func (s supabase) send(c *call, who credentials, path string, query url.Values) (grant, error) {
	rep, err := c.send(request{
		method: http.MethodPost, path: path, query: query, header: s.header(),
		body: struct {
			Email    string `json:"email"`
			Password string `json:"password"`
		}{who.email, who.password},
	})
	if err != nil {
		return grant{}, err
	}
	if rep.status == http.StatusOK {
		return rep.admission("access_token")
	}
	if rep.status >= 500 {
		return grant{}, rep.failure()
	}
	switch rep.text("error_code") {
	case "invalid_credentials":
		return grant{}, rep.means(rushgate.BadCredentials)
	case "user_already_exists", "email_exists":
		return grant{}, rep.means(rushgate.UsernameTaken)
	case "validation_failed", "weak_password", "bad_json", "email_address_invalid":
		return grant{}, rep.means(rushgate.MissingCredentials)
	}
	return grant{}, rep.failure()
}

// logout ends this one session of the account.
func (s supabase) logout(c *call, g grant) error {
	header := map[string]string{"Authorization": "Bearer " + g.token}
	if s.key != "" {
		header["apikey"] = s.key
	}
	rep, err := c.send(request{
		method: http.MethodPost, path: "/logout", query: url.Values{"scope": {"local"}}, header: header,
	})
	if err != nil {
		return err
	}
	return rep.ended()
}
