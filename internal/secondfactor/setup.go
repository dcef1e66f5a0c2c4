package secondfactor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"slices"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/rushgate/rushgate"
)

const (
	// SetupLife is how long a player may take to confirm an authenticator.
	SetupLife = 10 * time.Minute
	// qrSize is the width of the QR code in pixels, and qrMargin that of the white around it, without which it cannot be
	// read on a dark page.
	qrSize   = 256
	qrMargin = 24
)

// Errors of setting up and changing.
var (
	// ErrActive says that the account has a second factor already.
	ErrActive = errors.New("secondfactor: the account has one")
	// ErrInactive says that it has none.
	ErrInactive = errors.New("secondfactor: the account has none")
	// ErrNoSetup says that none is being set up, or that the player took longer than [SetupLife].
	ErrNoSetup = errors.New("secondfactor: none is being set up")
	// ErrWrongCode says that the code is not that of the authenticator which is being set up.
	ErrWrongCode = errors.New("secondfactor: wrong code")
	// ErrFull says that the account has no room for another credential.
	ErrFull = errors.New("secondfactor: the account has too many credentials")
)

// Setup is what a player gives to the authenticator. All of it is secret.
type Setup struct {
	// Secret is the key in base32, to be typed.
	Secret string
	// URI is the same as an otpauth address, for an app on this device.
	URI string
	// QR is a picture of URI, a PNG.
	QR []byte
}

// setupRecord is the secret of a credential of kindSetup.
type setupRecord struct {
	Key   string `json:"key"`
	Until int64  `json:"until"` // Unix seconds
}

// Begin makes a key for an authenticator, which lists it under a name of the game, without a colon, and that of the
// account. It is not asked for before [Confirm]; until then another Begin makes another key. Chance may be nil.
func Begin(
	credentials []rushgate.Credential, game, account string, chance io.Reader, now time.Time,
) (after []rushgate.Credential, s Setup, err error) {
	if Of(credentials).Active {
		return nil, s, ErrActive
	}
	after = without(credentials, kindSetup, kindRecovery)
	if len(after)+2 > rushgate.MaxCredentials { // the recovery codes need a place, too
		return nil, s, ErrFull
	}
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: game, AccountName: account, Digits: digits, Period: uint(periodSeconds), Rand: chance,
	})
	if err != nil {
		return nil, s, fmt.Errorf("secondfactor: %w", err)
	}
	s = Setup{Secret: key.Secret(), URI: key.URL()}
	if s.QR, err = picture(key); err != nil {
		return nil, Setup{}, fmt.Errorf("secondfactor: QR code: %w", err)
	}
	record := setupRecord{Key: s.Secret, Until: now.Add(SetupLife).Unix()}
	return append(after, rushgate.Credential{Kind: kindSetup, Secret: stored(record)}), s, nil
}

// picture draws the QR code of a key.
func picture(key *otp.Key) ([]byte, error) {
	code, err := key.Image(qrSize, qrSize)
	if err != nil {
		return nil, err
	}
	const width = qrSize + 2*qrMargin
	out := image.NewPaletted(image.Rect(0, 0, width, width), color.Palette{color.White, color.Black})
	draw.Draw(out, image.Rect(qrMargin, qrMargin, qrMargin+qrSize, qrMargin+qrSize), code, code.Bounds().Min, draw.Src)
	var b bytes.Buffer
	err = png.Encode(&b, out)
	return b.Bytes(), err
}

// Confirm ends a setup with a code of the authenticator, which is used up by that, and returns the recovery codes, of
// which nothing but hashes is kept. From then on the account asks, as [NewDevices]. Chance may be nil.
func Confirm(
	credentials []rushgate.Credential, code Code, chance io.Reader, now time.Time,
) (after []rushgate.Credential, recovery []string, err error) {
	if Of(credentials).Active {
		return nil, nil, ErrActive
	}
	i := slices.IndexFunc(credentials, func(c rushgate.Credential) bool { return c.Kind == kindSetup })
	if i < 0 {
		return nil, nil, ErrNoSetup
	}
	var setup setupRecord
	if json.Unmarshal([]byte(credentials[i].Secret), &setup) != nil || now.Unix() >= setup.Until {
		return nil, nil, ErrNoSetup
	}
	step, ok := match(setup.Key, code, now)
	if !ok {
		return nil, nil, ErrWrongCode
	}
	recovery, c, err := newRecovery(chance, now)
	if err != nil {
		return nil, nil, err
	}
	record := totpRecord{Key: setup.Key, Ask: NewDevices, Last: step, Since: now.Unix()}
	after = without(credentials, kindSetup, kindRecovery)
	return append(after, rushgate.Credential{Kind: kindTOTP, Secret: stored(record)}, c), recovery, nil
}

// Remove takes the second factor away, with what is being set up. It never returns nil.
func Remove(credentials []rushgate.Credential) []rushgate.Credential {
	return without(credentials, kindTOTP, kindSetup, kindRecovery)
}

// SetAsk says when the account is to ask.
func SetAsk(credentials []rushgate.Credential, ask Ask) ([]rushgate.Credential, error) {
	if ask != NewDevices && ask != Always {
		return nil, ErrAsk
	}
	i := slices.IndexFunc(credentials, func(c rushgate.Credential) bool { return c.Kind == kindTOTP })
	var r totpRecord
	if i < 0 || !r.read(credentials[i]) {
		return nil, ErrInactive
	}
	r.Ask = ask
	after := slices.Clone(credentials)
	after[i].Secret = stored(r)
	return after, nil
}

// Renew has other recovery codes take the place of those that are left. Chance may be nil.
func Renew(
	credentials []rushgate.Credential, chance io.Reader, now time.Time,
) (after []rushgate.Credential, recovery []string, err error) {
	if !Of(credentials).Active {
		return nil, nil, ErrInactive
	}
	recovery, c, err := newRecovery(chance, now)
	if err != nil {
		return nil, nil, err
	}
	return append(without(credentials, kindRecovery), c), recovery, nil
}

// without returns the credentials but for those of some kinds. They are the caller's to change, and never nil.
func without(credentials []rushgate.Credential, kinds ...string) []rushgate.Credential {
	kept := make([]rushgate.Credential, 0, len(credentials)+2)
	for _, c := range credentials {
		if !slices.Contains(kinds, c.Kind) {
			kept = append(kept, c)
		}
	}
	return kept
}
