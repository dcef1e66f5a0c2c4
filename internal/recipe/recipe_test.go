package recipe

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// made is what a recipe without variables makes of a password, in hexadecimal.
func made(t *testing.T, text, password string) string {
	t.Helper()
	r, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if r, err = r.Bind(nil); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return hex.EncodeToString(r.Make(0, password))
}

// What functions make is what others have published, or what programs of others print.
func TestFunctions(t *testing.T) {
	text := func(s string) string { return hex.EncodeToString([]byte(s)) }
	for _, c := range []struct{ recipe, password, want string }{
		{"md5(password)", "", "d41d8cd98f00b204e9800998ecf8427e"},
		{"hmac_md5(0x4a656665, password)", "what do ya want for nothing?",
			"750c783e6ab0b503eaa86e310a5db738"},
		{"pbkdf2_sha1(password, 'salt', 2, 20)", "password", "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"}, // RFC 6070
		{"mysql323(password)", "mypass", "6f8c114b58f2ce9e"},
		{"scrypt(password, 'NaCl', 10, 8, 16, 8)", "password", "fdbabe1c9d347200"}, // RFC 7914
		{"md4(utf16le(password))", "password", "8846f7eaee8fb117ad06bdd830b7586c"},
		{"bsdicrypt(password, 'rasm', 725)", "foobar", "7a102538ab954c11"},
		{"repeat_sha256(password, '', 2)", "a", "bf5d3affb73efd2ec6c36ad3112dd933efed63c4e1cbffcfa88e2759c144f2d8"},
		{"repeat_md5(password, '.', 2)", "a", "9f5c079fdbc4f871965f0405b5223b12"},
		{"upperhex(password)", "\xab\x01", text("AB01")},
		{"hexint(password, 4)", "\x00\x0a", text("000a")},
		{"hexint(password, 1)", "\x00\xab\xcd\xef", text("abcdef")},
		{"base64(password)", "a", text("YQ==")},
		{"reverse(password)", "abc", text("cba")},
		{"cut(password, 2)", "abc", text("ab")},
		{"cut(password, 5)", "abc", text("abc")},
		{"loop(3, it + '.', password)", "a", text("a...")},
		{"lower(password)", "ÄB", text("äb")},
		{"upper(password)", "äß", text("Äß")},
		{"asciilower(password)", "ÄB", text("Äb")},
		{"asciiupper(password)", "äb", text("äB")},
		{"ascii(password)", "pä🐉", text("p??")},
		{"ascii16(password)", "pä🐉", text("p???")},
		{"latin1(password)", "ä€", "e43f"},
		{"latin1_as_utf8(password)", "ä", text("Ã¤")},
		{"utf16le(password)", "a🐉", "61003dd809dc"},
		{"cut_utf16(password)", "äb", text("ä")},
		{"html(password)", `a<b>"c"&'d'`, text("a&lt;b&gt;&quot;c&quot;&amp;'d'")},
		{"nfc(password)", "a\u0308", text("ä")},
		{"nfkc(password)", "Ⅸ\u00a0ª\u00ad", text("IX a\u00ad")},
		{"saslprep(password)", "Ⅸ\u00a0ª\u00ad", text("IX a")},
		{"trim(password)", " a \n", text("a")},
		{"srp_256(password)", "\x01", strings.Repeat("00", 31) + "07"},
		{"srp_2048(password)", "\x02", strings.Repeat("00", 255) + "04"},
		{"cut(srp_2048_abs(password), 256)", "\xff", strings.Repeat("00", 255) + "02"}, // 2^|-1|
	} {
		if got := made(t, c.recipe, c.password); got != c.want {
			t.Errorf("%s of %q is %s, want %s", c.recipe, c.password, got, c.want)
		}
	}
}

// bcrypt is that of golang.org/x/crypto, for passwords of every length that counts and beyond.
func TestBcrypt(t *testing.T) {
	for _, n := range []int{0, 1, 8, 71, 72, 73, 100} {
		password := strings.Repeat("pä", n)[:n]
		theirs, err := bcrypt.GenerateFromPassword([]byte(password[:min(n, 72)]), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		salt, err := BcryptEncoding.DecodeString(string(theirs[7:29]))
		if err != nil {
			t.Fatal(err)
		}
		if ours := bcryptText([]byte(password), salt, bcrypt.MinCost); string(ours) != string(theirs) {
			t.Errorf("%d bytes: %s, want %s", n, ours, theirs)
		}
	}
}

// A bound recipe tells nothing of the name where that is hashed without the password, has each reading once, and is
// read again as it was written.
func TestBind(t *testing.T) {
	for _, c := range []struct{ recipe, want string }{
		{"md5( hex(md5(password)) + salt )", "md5(hex(md5(password))+0x7321)"}, // "!" is not written as text
		{"sha1(lower(name) + ':' + password)", "sha1('alice:'+password)"},
		{"sha1(lower(name) + password) | sha1(asciilower(name) + password)", "sha1('alice'+password)"},
		{"sha1(upper(name) + password) | sha1(name + password)", "sha1('ALICE'+password)|sha1('Alice'+password)"},
		{"pbkdf2_sha1(password, sha1(name), iterations, 20)",
			"pbkdf2_sha1(password,0x35318264c9a98faf79965c270ac80c5606774df1,7,20)"},
		{"password + empty", "password+''"},
	} {
		r, err := Parse(c.recipe)
		if err != nil {
			t.Fatal(err)
		}
		bound, err := r.Bind(map[string]Value{
			"name": Bytes([]byte("Alice")), "salt": Bytes([]byte("s!")), "iterations": Number(7), "empty": Bytes(nil),
		})
		if err != nil {
			t.Errorf("%s: %v", c.recipe, err)
			continue
		}
		if bound.String() != c.want {
			t.Errorf("%s is bound to %s, want %s", c.recipe, bound, c.want)
		}
		again, err := ParseStored(bound.String())
		if err != nil || again.String() != bound.String() || again.Cost() != bound.Cost() {
			t.Errorf("%s is read as %v, %v", bound, again, err)
		}
	}
}

// What cannot be, or would cost too much, is refused before it is made.
func TestBounds(t *testing.T) {
	for _, text := range []string{
		"", "md5", "md5(", "md5()", "md5(password", "md5(password))", "md5(password,password)", "md5(salt)", "md5(7)",
		"md3(password)", "'a", "'ä'", "0x", "0x1", "password +", "| password", "password password", "it",
		"loop(2,loop(2,it,it),password)", "loop(65,md5(it),password)", "loop(0,md5(it),password)",
		"cut(password,0)", "cut(password,password)", "password+7",
		"bcrypt(password,'short',10)", "bcrypt(password,'sixteen bytes ok',3)", "bcrypt(password,'sixteen bytes ok',15)",
		"argon2id(password,'salt',16,131072,1,32)", "argon2id(password,'salt',1,131073,1,32)",
		"argon2id(password,'salt',1,8,2,32)", "scrypt(password,'salt',20,8,1,32)", "scrypt(password,'salt',14,8,1,257)",
		"pbkdf2_sha512(password,'salt',10000000,64)", "pbkdf2_sha1(password,'salt',0,20)",
		"loop(64,pbkdf2_sha1(it,'salt',100000,20),password)", "phpass(password,'saltsalt',17)", "sha1(password,2)",
		"aes256_ctr(password,'x')", "md5(99999999999)", "bsdicrypt(password,'rasm',16777215)", "bsdicrypt(password,'ras',1)",
		"repeat_sha512(password,'',1000001)", "sha1crypt(password,'salt',0)",
		strings.Repeat("md5(", 17) + "password" + strings.Repeat(")", 17),
		"md5(password" + strings.Repeat("+password", 96) + ")",
		strings.Repeat("md5(password)|", 4) + "sha1(password)", "'" + strings.Repeat("a", MaxText) + "'",
	} {
		if r, err := ParseStored(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.60q is read as %.60q, %v", text, fmt.Sprint(r), err)
		}
	}
	for _, spelling := range []string{
		"md5( password)", "md5('a'+'b')", "0x61", "md5(password)|md5(password)", "cut(password,02)",
	} {
		if _, err := ParseStored(spelling); err == nil {
			t.Errorf("%q is not as it would be written, and is read", spelling)
		}
	}
}

// Values stay small whatever a recipe does with them, and nothing that costs is worked out before it is asked for.
func TestValuesAreBounded(t *testing.T) {
	for _, text := range []string{
		"md5(loop(64,it+it,password))", "md5(" + strings.Repeat("html(", 14) + "password" + strings.Repeat(")", 15),
		"md5(loop(64,html(it),password))",
	} {
		if got := len(made(t, text, strings.Repeat("&", 256))); got != 32 {
			t.Errorf("%s makes %d digits", text, got)
		}
	}
	const slow = "md5(password+bcrypt('x','sixteen bytes ok',13))"
	r, err := Parse(slow)
	if err != nil {
		t.Fatal(err)
	}
	start := functions["bcrypt"].make
	defer func() { functions["bcrypt"].make = start }()
	functions["bcrypt"].make = func([][]byte, []int) []byte { t.Error("bcrypt was made in advance"); return nil }
	if bound, err := r.Bind(nil); err != nil || bound.Cost() < 100*time.Millisecond {
		t.Errorf("%v, %v", bound, err)
	}
}

func FuzzParseStored(f *testing.F) {
	f.Add("md5(hex(md5(password))+'salt')", "pw")
	f.Add("srp_256(reverse(sha1(0x00ff+sha1('NAME:'+asciiupper(password)))))", "pw")
	f.Add("loop(24,sha512(hex(it)),sha512(password))|descrypt(cut(password,8),'ab')", "pä")
	f.Add("sha256(cut_utf16(0xc39c+password))|md5crypt(password,'salt',0x243124)|mysql323(html(nfc(password)))", "")
	f.Add("aes256_ctr(scrypt(password,'salt',4,1,1,32),'signer')|bcrypt(password,'sixteen bytes ok',4)", "pw")
	f.Add("sha512crypt(saslprep(password),'salt',1000)|phpass_sha512(utf16le(password),'saltsalt',7)", "pw")
	f.Add("md4(utf16le(nfkc(password)))|bsdicrypt(password,'rasm',9)|repeat_sha256(password,'more',3)", "foobar and more")
	f.Add("sha1crypt(password,'salt',3)", "pw")
	f.Fuzz(func(t *testing.T, text, password string) {
		r, err := ParseStored(text)
		if err != nil {
			return
		}
		if r.String() != text {
			t.Errorf("%q is written %q", text, r)
		}
		if r.Cost() > MaxCost || len(password) > 512 {
			t.Skip()
		}
		if r.Cost() > MaxCost/100 {
			return
		}
		for i := range r.Readings() {
			if got := len(r.Make(i, password)); r.Size() >= 0 && got != r.Size() {
				t.Errorf("%q makes %d bytes, not %d", text, got, r.Size())
			}
		}
	})
}
