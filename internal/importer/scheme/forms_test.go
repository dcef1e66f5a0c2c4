package scheme

import (
	"errors"
	"strings"
	"testing"
)

// A hash that no scheme reads is named by the refusal, and is never taken for a password in plain text.
func TestHashIsNotPlainText(t *testing.T) {
	const md5 = "5f4dcc3b5aa765d61d8327deb882cf99"
	const scram = `{scram,<<"aaaa">>,<<"bbbb">>,<<"cccc">>,sha,4096}`
	const argon2 = "$m=65536,t=3,p=4,keyid=YQ$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"
	for _, c := range []struct{ system, text, refused string }{
		{"ejabberd", scram, "term of Erlang"},
		{"ejabberd plain", scram, "term of Erlang"},
		{"prosody", `<<"secret">>`, "term of Erlang"},
		{"openfire", "$2y$10$cut", "bcrypt"},
		{"rathena", "$y$j9T$Y/dFPi5mUAUHGAAK0Y4k.$jBMLO1SgyAiuTSChOQ3Vn0JA5dJHAUAFEq/2BYBSrP2", "yescrypt"},
		{"rathena", "{SSHA}cut", "in braces"},
		{"rathena plain", "pbkdf2:sha999:1000$salt$aabb", "name of its algorithm"},
		{"ejabberd", md5, `say "ejabberd plain"`},
		{"ejabberd plain", md5, ""},
		{"ejabberd", "$money$ for nothing", "dollar signs"},
		{"ejabberd plain", "$money$ for nothing", ""},
		{"plain text", "hello{world}$2", ""},
		{"dovecot", "{PLAIN}{SSHA}x", ""}, // where it is said of each
		{"nobody knows it", "$argon2d$v=19" + argon2, "Argon2d"},
		{"nobody knows it", "$argon2id$v=19" + argon2, "keyid"},
		{"nobody knows it", strings.Replace("$argon2id"+argon2, ",keyid=YQ", "", 1), "before version 1.3"},
		{"nobody knows it", "$md5,rounds=1001$m3/IR.g1$$8whu81/1QodRuRPamS1Lf1", "Solaris"},
		{"peppered bcrypt", "$2y$04$abcdefghijklmnopqrstuuVxrIdT0vjUpB4MyCPDlM.HLUnKfnWy6", "pepper"},
	} {
		field := "password"
		if c.system == "openfire" {
			field = "plainPassword"
		}
		p, err := Builtin().Recognise(Record{c.system, "Alice", map[string]any{field: c.text}})
		switch {
		case c.refused == "" && (err != nil || !p.Recipe.Plain()):
			t.Errorf("%s %q: %v, %v", c.system, c.text, p, err)
		case c.refused != "" && (!errors.Is(err, ErrUnknownForm) && !errors.Is(err, ErrUnknownSystem) ||
			!strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s %q is taken for %v, %v; want an error with %q", c.system, c.text, p, err, c.refused)
		case err != nil && strings.Contains(err.Error(), c.text):
			t.Errorf("the error has what is stored: %v", err)
		}
	}
}
