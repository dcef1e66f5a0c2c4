package recipe

import (
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/blowfish" //nolint:staticcheck // bcrypt is made of it
)

const (
	bcryptLen     = 23
	bcryptSaltLen = 16
	bcryptKeyLen  = 72 // of which more counts not
)

// BcryptEncoding is how bcrypt writes bytes.
var BcryptEncoding = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").
	WithPadding(base64.NoPadding)

// bcryptSum is bcrypt as $2a$, $2b$ and $2y$ have it: the password with its terminating NUL, as far as it counts.
// Package bcrypt of golang.org/x/crypto gives the bytes only together with a text that has another salt each time.
func bcryptSum(password, salt []byte, cost int) []byte {
	key := append([]byte{}, password...)
	return bcryptRaw(append(key, 0), salt, cost)
}

func bcryptRaw(key, salt []byte, cost int) []byte {
	c, err := blowfish.NewSaltedCipher(key[:min(len(key), bcryptKeyLen)], salt)
	if err != nil {
		panic("recipe: Blowfish refuses a key of 1 to 72 bytes: " + err.Error())
	}
	key = key[:min(len(key), bcryptKeyLen)]
	for range 1 << cost {
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(salt, c)
	}
	text := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(text); i += blowfish.BlockSize {
		for range 64 {
			c.Encrypt(text[i:], text[i:])
		}
	}
	return text[:bcryptLen]
}

func bcryptText(password, salt []byte, cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s%s", cost, BcryptEncoding.EncodeToString(salt),
		BcryptEncoding.EncodeToString(bcryptSum(password, salt, cost)))
}

// signedKey returns the key that $2x$ makes of a password. Its makers took characters for signed: one above 127 set all
// bits above its own. The words that came of this are a key of 72 bytes.
func signedKey(password []byte) []byte {
	text := append(append([]byte{}, password...), 0)
	key := make([]byte, 0, bcryptKeyLen)
	at := 0
	for range bcryptKeyLen / 4 {
		var word uint32
		for range 4 {
			word = word<<8 | uint32(int32(int8(text[at])))
			at = (at + 1) % len(text)
		}
		key = append(key, byte(word>>24), byte(word>>16), byte(word>>8), byte(word))
	}
	return key
}
