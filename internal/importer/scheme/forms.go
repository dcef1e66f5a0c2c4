package scheme

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// form is how something is written that is no password, though no scheme reads it.
type form struct {
	about string
	text  *regexp.Regexp
	sure  bool // nobody types that
}

// forms are looked at in their order, when a record is refused, or would be taken for plain text.
var forms = []form{
	sure("a term of Erlang, as ejabberdctl writes into a dump, which --system ejabberd reads as a file",
		`^(\{(scram|passwd|sha|ejabberd)\b|<<)`),
	sure("what PHP's serialize() writes", `^([aO]:[0-9]+:|s:[0-9]+:")`),
	sure("yescrypt, which is not known here", `^(\{CRYPT\})?\$g?y\$`),
	sure("Argon2d, which is not known here", `\$argon2d\$`),
	sure("Argon2 with a keyid or data, which is not known here", `\$argon2[id]{1,2}\$[^$]*\$?[^$]*(keyid|data)=`),
	sure("Argon2 of before version 1.3, which is not known here", `\$argon2[id]{1,2}\$(v=16\$)?m=`),
	sure("Argon2 with parameters or a length that are not known here", `\$argon2[id]{0,2}\$`),
	sure("the MD5-based crypt of Solaris, which is not known here", `^(\{CRYPT\})?\$md5[,$]`),
	sure("a hash of Cisco's or Juniper's, which is not known here", `^\$[489]\$`),
	sure("a hash of AIX, which is not known here", `(?i)^\{(smd5|ssha1|ssha256|ssha512)\}([0-9]{2}\$|[./0-9A-Za-z]{8}\$)`),
	sure("CRAM-MD5 or DIGEST-MD5 as Dovecot keeps them, which are not known here", `(?i)^\{(CRAM|HMAC|DIGEST)-MD5[.}]`),
	sure("a hash of LAN Manager, which is not known here", `(?i)^(\{(LANMAN|LM|LMHASH)\}|\$LM\$)`),
	sure("bcrypt, cut or with a cost or characters that it has not", `^(\{[A-Za-z-]+\})?\$2[abxy]?\$`),
	sure("a crypt of Unix, cut or with characters that it has not", `^(\{[A-Za-z0-9-]+\})?\$(1|3|5|6|7|apr1|sha1)\$`),
	sure("phpass, cut or with characters that it has not", `^\$[PHS]\$`),
	sure("a password's hash with its scheme in braces, cut or of a scheme that is not known here",
		`(?i)^\{(S?SHA|S?MD5|CRYPT|PBKDF2|ARGON2|BCRYPT|BLF|SCRYPT|SCRAM|PKCS5S2|FSHP|PLAIN-|NT|SKEY|OTP|RPA|SASL|ENC)`+
			`[^{}]*\}.`),
	sure("a hash after the name of its algorithm, cut or with parameters that are not known here",
		`(?i)^(pbkdf2|bcrypt|scrypt|argon2|sha[0-9]+|md5|hmac)[a-z0-9_:.-]*\$.`),
	sure("keys of SCRAM, in a form that is not known here", `^SCRAM-SHA-`),
	likely("a hash with its scheme between dollar signs, which is not known here", `^\$[0-9A-Za-z_-]{1,24}[,$].{8}`),
	likely("bytes in hexadecimal, as many as a hash has", `^(0[xX])?([0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{56}|`+
		`[0-9A-Fa-f]{64}|[0-9A-Fa-f]{96}|[0-9A-Fa-f]{128})$`),
	likely("bytes in base64, as many as a hash has",
		`^([0-9A-Za-z+/]{22}==|[0-9A-Za-z+/]{27}=|[0-9A-Za-z+/]{43}=|[0-9A-Za-z+/]{86}==)$`),
}

func sure(about, text string) form { return form{about, regexp.MustCompile(text), true} }

func likely(about, text string) form { return form{about, regexp.MustCompile(text), false} }

// formOf returns of which form a text is, nil if it may be what somebody has typed.
func formOf(text string) *form {
	for i := range forms {
		if forms[i].text.MatchString(text) {
			return &forms[i]
		}
	}
	return nil
}

// formIn returns the first form of a field that there is, nil without one.
func formIn(stored map[string]any) *form {
	for _, key := range slices.Sorted(maps.Keys(stored)) {
		if text, ok := textOf(stored[key]); ok {
			if f := formOf(text); f != nil {
				return f
			}
		}
	}
	return nil
}

// plainWords in a system's name say that its passwords are plain text, whatever they look like.
var plainWords = []string{"plain", "plaintext", "cleartext", "no"}

// bare reports whether a scheme takes a whole column for the password itself.
func (s *Scheme) bare() bool {
	if !slices.Contains([]string{"password", "saslprep(password)"}, s.recipe.String()) {
		return false
	}
	for i := range s.fields {
		if p := s.fields[i].pattern; p != nil && len(p.places) == 1 && p.places[0].name == "digest" {
			return p.all
		}
	}
	return false
}

// refuseHash returns an error for a password in plain text that is none: were it taken for one, the player could not
// log in, and whoever has the old hash could.
func refuseHash(system []string, password []byte) error {
	f := formOf(string(password))
	explicit := slices.ContainsFunc(plainWords, func(w string) bool { return slices.Contains(system, w) })
	if f == nil || explicit && !f.sure {
		return nil
	}
	what := fmt.Sprintf("it would be taken for plain text, and is %s", f.about)
	if !f.sure {
		what += `; if it is plain text, say "` + strings.Join(slices.Concat(system, []string{"plain"}), " ") + `"`
	}
	return fmt.Errorf("%w: %s", ErrUnknownForm, what)
}
