package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/rushgate/rushgate"
)

// Ask says when an account that has a second factor asks for a code.
type Ask string

// When an account can ask.
const (
	// AskNewDevices is at each login with the password, and not of a remembered device that comes back.
	AskNewDevices Ask = "new-devices"
	// AskAlways is at each login: the account remembers no devices.
	AskAlways Ask = "always"
)

// SecondFactor is what an account asks for beside the password.
type SecondFactor struct {
	// Active says that it asks for a code, and Ask when; empty if it does not.
	Active bool `json:"active"`
	Ask    Ask  `json:"ask"`
	// RecoveryCodes is how many are left.
	RecoveryCodes int `json:"recovery_codes"`
}

// Authenticator is what a player gives to an authenticator app. All of it is secret.
type Authenticator struct {
	// Secret is the key in base32, to be typed.
	Secret string
	// URI is the same as an otpauth address, for an app on this device.
	URI string
	// QR is a picture of URI, a PNG.
	QR []byte
}

const factorPath = "/v1/account/totp"

// SecondFactor returns what the account asks for beside the password. It is tried once, as all that follows.
func (s Session) SecondFactor(ctx context.Context) (SecondFactor, error) {
	r := request{op: "second factor", method: http.MethodGet, path: factorPath}
	ans, err := s.call(ctx, &r)
	if err != nil {
		return SecondFactor{}, err
	}
	var f SecondFactor
	err = r.decode(ans, &f, http.StatusOK)
	return f, err
}

// SetUpSecondFactor has the server make a key for an authenticator app. It is not asked for before
// [Session.ConfirmSecondFactor] is told a code of the app, within ten minutes. [rushgate.BadCredentials] says that the
// password is wrong, or that the session has ended; [rushgate.MissingCredentials] that there is a second factor
// already.
func (s Session) SetUpSecondFactor(ctx context.Context, password string) (Authenticator, error) {
	if err := notText(password); err != nil {
		return Authenticator{}, err
	}
	const op = "set up second factor"
	p, err := s.show(ctx, op, ByPassword(password))
	if err != nil {
		return Authenticator{}, err
	}
	r, err := post(op, factorPath, p, p.secrets()...)
	if err != nil {
		return Authenticator{}, err
	}
	var body struct {
		Secret string `json:"secret"`
		URI    string `json:"uri"`
		QR     string `json:"qr"`
	}
	if err := s.sendProof(ctx, r, &body, http.StatusOK); err != nil {
		return Authenticator{}, err
	}
	picture, ok := strings.CutPrefix(body.QR, "data:image/png;base64,")
	png, err := base64.StdEncoding.DecodeString(picture)
	if !ok || err != nil || body.Secret == "" {
		return Authenticator{}, r.bad("a key for an authenticator that is none")
	}
	return Authenticator{body.Secret, body.URI, png}, nil
}

// ConfirmSecondFactor has the account ask for codes from now on, and returns the recovery codes for a player who has
// lost the app: each is good once, and they are shown here and nowhere again. [rushgate.SecondFactor] says that the
// code is wrong, [rushgate.MissingCredentials] that it came too late.
func (s Session) ConfirmSecondFactor(ctx context.Context, code string) (recovery []string, err error) {
	r, err := post("confirm second factor", factorPath+"/confirm", struct {
		Code string `json:"code"`
	}{code}, code)
	if err != nil {
		return nil, err
	}
	return s.recoveryCodes(ctx, r)
}

// SetAsk says when the account is to ask for a code. It takes the password and a code, of the app or a recovery code,
// which is used up. The errors of this and of the two that follow are [rushgate.BadCredentials] for a wrong password,
// or a session that has ended, [rushgate.SecondFactor] for a wrong code, and [rushgate.MissingCredentials] for an
// account without a second factor.
func (s Session) SetAsk(ctx context.Context, password, code string, ask Ask) error {
	r, err := s.factorOrder(ctx, "set when a code is asked for", http.MethodPost, "/ask", password, code, ask)
	if err != nil {
		return err
	}
	return s.sendProof(ctx, r, nil)
}

// RemoveSecondFactor has the account ask for the password alone. It is as [Session.SetAsk].
func (s Session) RemoveSecondFactor(ctx context.Context, password, code string) error {
	r, err := s.factorOrder(ctx, "remove second factor", http.MethodDelete, "", password, code, "")
	if err != nil {
		return err
	}
	return s.sendProof(ctx, r, nil)
}

// RenewRecoveryCodes returns other recovery codes, which take the place of all that are left. It is as
// [Session.SetAsk].
func (s Session) RenewRecoveryCodes(ctx context.Context, password, code string) ([]string, error) {
	r, err := s.factorOrder(ctx, "renew recovery codes", http.MethodPost, "/recovery-codes", password, code, "")
	if err != nil {
		return nil, err
	}
	return s.recoveryCodes(ctx, r)
}

// factorOrder is a request that takes the password and a code.
func (s Session) factorOrder(ctx context.Context, op, method, below, password, code string, ask Ask) (request, error) {
	if err := notText(password, code); err != nil {
		return request{}, err
	}
	p, err := s.show(ctx, op, ByPassword(password))
	if err != nil {
		return request{}, err
	}
	p.Code = code
	r, err := post(op, factorPath+below, struct {
		shown
		Ask Ask `json:"ask,omitempty"`
	}{p, ask}, p.secrets()...)
	r.method = method
	return r, err
}

// recoveryCodes sends what is answered with recovery codes.
func (s Session) recoveryCodes(ctx context.Context, r request) ([]string, error) {
	var body struct {
		Codes []string `json:"recovery_codes"`
	}
	if err := s.sendProof(ctx, r, &body, http.StatusOK); err != nil {
		return nil, err
	}
	if len(body.Codes) == 0 {
		return nil, fmt.Errorf("client: %s: %w", r.op, rushgate.InternalError)
	}
	return body.Codes, nil
}
