package api

import (
	"net/http"

	"github.com/rushgate/rushgate/internal/auth"
	"github.com/rushgate/rushgate/internal/linked"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/internal/token"
)

var errNoGuests = rejection{http.StatusNotFound, "There are no guests here."}

var guestFields = []strictjson.Field{
	{Name: "secret"}, {Name: "code"}, {Name: "attempt_id"}, {Name: "takeover", Kind: strictjson.Bool},
	{Name: "line_secret"}, {Name: "wait", Kind: strictjson.Bool}, {Name: "remember"},
	{Name: "remember_cookie", Kind: strictjson.Bool}, {Name: "device_id"},
}

// guestRoutes are those of guests.
func (h *handler) guestRoutes() []route {
	return []route{{"POST /v1/guest", h.guest}}
}

// guest lets in a player whose device shows a secret, and makes an account for one that nobody has.
func (h *handler) guest(w http.ResponseWriter, r *http.Request) {
	if !h.Guests {
		h.refuse(w, errNoGuests)
		return
	}
	h.letIn(w, r, readGuest, h.Pool.Identity)
}

func readGuest(r *http.Request) (request auth.Request, inCookie bool, err error) {
	body, err := readBody(r)
	if err != nil {
		return request, false, err
	}
	return parseGuest(body)
}

// parseGuest checks the form of a guest's wish to be let in.
func parseGuest(body []byte) (request auth.Request, inCookie bool, err error) {
	given, err := object(body, guestFields...)
	if err != nil {
		return request, false, err
	}
	request, inCookie, err = entryOf(given)
	if err != nil {
		return request, false, err
	}
	secret, err := token.ParseGuest(given.String("secret"))
	if err != nil {
		return request, false, malformed{"secret must be 32 bytes of chance in base64url, 43 characters."}
	}
	request.Shown = auth.Shown{Credential: linked.OfGuest(secret.Secret()), Create: true}
	return request, inCookie, nil
}

// entryOf checks what requests that show an identity say beside it.
func entryOf(given strictjson.Values) (request auth.Request, inCookie bool, err error) {
	request = auth.Request{
		Attempt: given.String("attempt_id"), Takeover: given.Bool("takeover"), Wait: given.Bool("wait"),
		Remember: given.String("remember"),
	}
	if request.Wait && given.String("line_secret") == "" {
		return request, false, malformed{"To wait for the world needs a line_secret, which is to hold the place."}
	}
	if err := validAttempt(request.Attempt); err != nil {
		return request, false, err
	}
	if request.Factor, err = parseCode(given.String("code")); err != nil {
		return request, false, err
	}
	if request.Device, err = deviceOf(given.String("device_id")); err != nil {
		return request, false, err
	}
	request.Holder, _, err = place(given.String("line_secret"), "")
	return request, given.Bool("remember_cookie"), err
}
