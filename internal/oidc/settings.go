package oidc

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/rushgate/rushgate/internal/identity"
	"github.com/rushgate/rushgate/internal/smallfile"
	"github.com/rushgate/rushgate/internal/strictjson"
)

const (
	// MaxProviders is how many providers a file may have.
	MaxProviders = 32
	maxFile      = 64 << 10 // bytes of that file
	maxField     = 512      // characters of a value, and of each in a list
	maxList      = 32
)

// ErrSettings is wrapped by what is wrong with the settings of a provider. No such error quotes a secret.
var ErrSettings = errors.New("settings of providers")

// Settings are what an operator says of a provider.
type Settings struct {
	// Name is the operator's, for URLs, logs and metrics: at most 32 of a-z, 0-9 and '-', beginning with a letter.
	Name string
	// Issuer is the provider's URL as it calls itself, to the letter.
	Issuer   string
	ClientID string
	// Secret is the client's, empty for a public client.
	Secret identity.Secret
	// Redirect is where the provider sends browsers back to, exactly as it is registered there.
	Redirect string
	Scopes   []string
	// Audiences are the client ids, besides ClientID, of native clients whose ID tokens are taken.
	Audiences []string
	// NameFrom are the claims of which the first that is there is the player's name.
	NameFrom []string
	// Userinfo has the name and the address asked for at the provider's userinfo endpoint: another call for each player.
	Userinfo bool

	preset preset
	apple  appleKey
}

// files are those that settings name.
type files struct{ secret, key string }

var fields = []strictjson.Field{
	{Name: "name"}, {Name: "preset"}, {Name: "issuer"}, {Name: "tenant"}, {Name: "client_id"},
	{Name: "client_secret_file"},
	{Name: "redirect"}, {Name: "scopes", Kind: strictjson.Strings}, {Name: "audiences", Kind: strictjson.Strings},
	{Name: "name_from", Kind: strictjson.Strings}, {Name: "userinfo", Kind: strictjson.Bool},
	{Name: "team_id"}, {Name: "key_id"}, {Name: "key_file"},
}

// Load reads a file with providers, and the files with their secrets. An error wraps [ErrSettings] or
// [identity.ErrSecret], or is that of a file.
func Load(path string) ([]Settings, error) {
	b, _, err := smallfile.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	all, secrets, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range all {
		if err := all[i].readSecrets(secrets[i]); err != nil {
			return nil, fmt.Errorf("%s: provider %s: %w", path, all[i].Name, err)
		}
	}
	return all, nil
}

// Files returns which files with secrets a file with providers names. The error is that of [Load], as far as it is not
// about those.
func Files(path string) (named []string, err error) {
	b, _, err := smallfile.Read(path, maxFile)
	if err != nil {
		return nil, err
	}
	_, secrets, err := parse(b)
	for _, f := range secrets {
		for _, file := range []string{f.secret, f.key} {
			if file != "" {
				named = append(named, file)
			}
		}
	}
	return named, err
}

// parse reads what is in the file, and returns which files there are to read besides.
func parse(b []byte) ([]Settings, []files, error) {
	if len(b) > maxFile {
		return nil, nil, fmt.Errorf("%w: more than %d bytes", ErrSettings, maxFile)
	}
	file, err := strictjson.Object(b, strictjson.Field{Name: "providers", Kind: strictjson.Objects})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	objects := file.Objects("providers")
	if len(objects) == 0 || len(objects) > MaxProviders {
		return nil, nil, fmt.Errorf("%w: %d providers, of 1 to %d", ErrSettings, len(objects), MaxProviders)
	}
	var (
		all     []Settings
		secrets []files
	)
	for i, object := range objects {
		v, err := strictjson.Object(object, fields...)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: provider %d: %w", ErrSettings, i+1, err)
		}
		s, f, err := settings(v)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: provider %d: %w", ErrSettings, i+1, err)
		}
		if slices.ContainsFunc(all, func(other Settings) bool { return other.Name == s.Name }) {
			return nil, nil, fmt.Errorf("%w: provider %d: the name %s is there twice", ErrSettings, i+1, s.Name)
		}
		all, secrets = append(all, s), append(secrets, f)
	}
	return all, secrets, nil
}

// settings makes those of one provider from what the file says, and from its preset.
func settings(v strictjson.Values) (Settings, files, error) {
	p, known := presets[v.String("preset")]
	switch {
	case v.String("preset") == "":
		p = ordinary
	case !known:
		return Settings{}, files{}, fmt.Errorf("preset: there is none of that name, but %s",
			strings.Join(slices.Sorted(maps.Keys(presets)), ", "))
	}
	s := Settings{
		Name: v.String("name"), Issuer: p.issuer, ClientID: v.String("client_id"), Redirect: v.String("redirect"),
		Scopes: p.scopes, Audiences: v.Strings("audiences"), NameFrom: p.nameFrom,
		Userinfo: p.userinfo || v.Bool("userinfo"), preset: p,
		apple: appleKey{team: v.String("team_id"), id: v.String("key_id")},
	}
	f := files{secret: v.String("client_secret_file"), key: v.String("key_file")}
	switch issuer, tenant := v.String("issuer"), v.String("tenant"); {
	case tenant != "" && v.String("preset") != "microsoft":
		return s, f, errors.New("tenant: that is Microsoft's")
	case tenant != "" && !tenantForm.MatchString(tenant):
		return s, f, errors.New("tenant: not the id of one; common and organizations are none")
	case tenant != "":
		s.Issuer = microsoftIssuer(tenant)
	case issuer != "" && p.issuer != "":
		return s, f, errors.New("issuer: the preset has it")
	case issuer != "":
		s.Issuer = issuer
	}
	if scopes := v.Strings("scopes"); scopes != nil {
		s.Scopes = scopes
	}
	if from := v.Strings("name_from"); from != nil {
		s.NameFrom = from
	}
	if err := s.checkFiles(v.String("preset"), f); err != nil {
		return s, f, err
	}
	return s, f, s.check()
}

var (
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	tenantForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	// tokenForm is that of a scope (RFC 6749, section 3.3), and of what else has to stand for itself.
	tokenForm = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`)
)

// ValidName reports whether a provider may have a name: 1 to 32 of a-z, 0-9 and '-', beginning with a letter.
func ValidName(name string) bool { return nameForm.MatchString(name) }

// check says what is wrong with settings, whoever has made them.
func (s *Settings) check() error {
	if !ValidName(s.Name) {
		return errors.New("name: it has to be 1 to 32 of a-z, 0-9 and '-', beginning with a letter")
	}
	if s.ClientID == "" || len(s.ClientID) > maxField || !tokenForm.MatchString(s.ClientID) {
		return errors.New("client_id: it has to be there, and printable")
	}
	if err := checkURL(s.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if err := checkURL(s.Redirect); err != nil {
		return fmt.Errorf("redirect: %w", err)
	}
	for field, list := range map[string][]string{"scopes": s.Scopes, "audiences": s.Audiences, "name_from": s.NameFrom} {
		if len(list) > maxList || slices.ContainsFunc(list, func(each string) bool {
			return len(each) > maxField || !tokenForm.MatchString(each)
		}) {
			return fmt.Errorf("%s: at most %d, each printable and without spaces", field, maxList)
		}
	}
	if s.preset.plain == nil && !slices.Contains(s.Scopes, "openid") {
		return errors.New("scopes: without openid the provider says nothing of who the player is")
	}
	return nil
}

// checkFiles says what is wrong with the names of files.
func (s *Settings) checkFiles(preset string, f files) error {
	apple := s.apple.team != "" && s.apple.id != "" && f.key != ""
	switch {
	case preset == "apple" && (!apple || f.secret != ""):
		return errors.New("it is Apple that wants team_id, key_id and key_file in place of client_secret_file")
	case preset != "apple" && (s.apple.team != "" || s.apple.id != "" || f.key != ""):
		return errors.New("team_id, key_id and key_file are Apple's")
	case f.secret == "" && (preset == "twitch" || preset == "epic"):
		return errors.New("client_secret_file: this provider has no public clients that get codes")
	}
	return nil
}

// checkURL takes absolute URLs over HTTPS, and over HTTP to the machine itself, without what could be mistaken.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return errors.New("it is missing")
	case err != nil || len(s) > maxField || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery ||
		strings.Contains(s, "#") || !tokenForm.MatchString(s):
		return errors.New("not the URL of a server, without a query or fragment")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	default:
		return errors.New("it has to begin with https://")
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// readSecrets reads the files with what proves the client to the provider.
func (s *Settings) readSecrets(f files) (err error) {
	if f.secret != "" {
		if s.Secret, err = identity.ReadSecret(f.secret); err != nil {
			return err
		}
	}
	if f.key != "" {
		pem, err := identity.ReadSecret(f.key)
		if err != nil {
			return err
		}
		if s.apple.key, err = parseAppleKey([]byte(pem)); err != nil {
			return fmt.Errorf("%s: %w", f.key, err)
		}
	}
	return nil
}
