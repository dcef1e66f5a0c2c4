package opaque

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/gtank/ristretto255"
)

// hexBytes are bytes that JSON has in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// rfcVector is one of appendix C of RFC 9807. Of nine, those with ristretto255 for the OPRF and the AKE apply: C.1.1
// and C.1.2, and the fake record of C.2.1. Random values are given in them.
type rfcVector struct {
	Config struct {
		Name, Fake string
		Context    hexBytes
	}
	Inputs struct {
		CredentialIdentifier hexBytes `json:"credential_identifier"`
		OPRFSeed             hexBytes `json:"oprf_seed"`
		ServerPrivateKey     hexBytes `json:"server_private_key"`
		ServerPublicKey      hexBytes `json:"server_public_key"`
		ServerKeyshareSeed   hexBytes `json:"server_keyshare_seed"`
		ServerNonce          hexBytes `json:"server_nonce"`
		MaskingNonce         hexBytes `json:"masking_nonce"`
		ClientIdentity       hexBytes `json:"client_identity"`
		ServerIdentity       hexBytes `json:"server_identity"`
		ClientPublicKey      hexBytes `json:"client_public_key"` // of fake records, like the next two
		MaskingKey           hexBytes `json:"masking_key"`
		KE1                  hexBytes
	}
	Intermediates struct {
		OPRFKey hexBytes `json:"oprf_key"`
	}
	Outputs struct {
		KE1, KE2, KE3        hexBytes
		RegistrationRequest  hexBytes `json:"registration_request"`
		RegistrationResponse hexBytes `json:"registration_response"`
		RegistrationUpload   hexBytes `json:"registration_upload"`
		SessionKey           hexBytes `json:"session_key"`
	}
}

func rfcVectors(t *testing.T) (vectors []rfcVector) {
	t.Helper()
	b, err := os.ReadFile("testdata/rfc9807.json")
	if err == nil {
		err = json.Unmarshal(b, &vectors)
	}
	if err != nil || len(vectors) != 3 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	return vectors
}

// key returns the key of the vector's server.
func (v *rfcVector) key(t *testing.T) *key {
	t.Helper()
	secret := bytes.Join([][]byte{v.Inputs.ServerPrivateKey, v.Inputs.OPRFSeed, bytes.Repeat([]byte{1}, sealSize)}, nil)
	k, err := newKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	k.in = transcript{v.Config.Context, v.Inputs.ClientIdentity, v.Inputs.ServerIdentity}
	return k
}

func (v *rfcVector) chance() *chance {
	var c chance
	copy(c.keyShareSeed[:], v.Inputs.ServerKeyshareSeed)
	copy(c.serverNonce[:], v.Inputs.ServerNonce)
	copy(c.maskingNonce[:], v.Inputs.MaskingNonce)
	return &c
}

// The server's part is that of RFC 9807, byte for byte.
func TestRFCVectors(t *testing.T) {
	for _, v := range rfcVectors(t) {
		k, name := v.key(t), string(v.Inputs.CredentialIdentifier)
		if !bytes.Equal(k.public[:], v.Inputs.ServerPublicKey) {
			t.Errorf("the public key is %x", k.public)
		}
		ke1, upload := []byte(v.Outputs.KE1), []byte(v.Outputs.RegistrationUpload)
		if v.Config.Fake == "True" {
			ke1 = v.Inputs.KE1
			upload = bytes.Join([][]byte{v.Inputs.ClientPublicKey, v.Inputs.MaskingKey, make([]byte, envelopeSize)}, nil)
		} else {
			if got := k.oprfKey(name).Bytes(); !bytes.Equal(got, v.Intermediates.OPRFKey) {
				t.Errorf("the OPRF key is %x", got)
			}
			got, err := k.register(name, v.Outputs.RegistrationRequest)
			if err != nil || !bytes.Equal(got, v.Outputs.RegistrationResponse) {
				t.Errorf("the response is %x, %v", got, err)
			}
		}
		a, err := k.login(name, (*[UploadSize]byte)(upload), ke1, v.chance())
		if err != nil || !bytes.Equal(a.ke2, v.Outputs.KE2) {
			t.Fatalf("KE2 is wrong, %v", err)
		}
		if v.Config.Fake == "True" {
			continue
		}
		if !bytes.Equal(a.clientMAC, v.Outputs.KE3) || !bytes.Equal(a.sessionKey, v.Outputs.SessionKey) {
			t.Error("KE3 or the session key is wrong")
		}
	}
}

// The group is that of RFC 9496, which has the generator and bytes that are no element as vectors.
func TestElements(t *testing.T) {
	const generator = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
	if got := hex.EncodeToString(ristretto255.NewGeneratorElement().Bytes()); got != generator {
		t.Errorf("the generator is %s", got)
	}
	for _, bad := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", // the identity
		"00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // not canonical
		"0100000000000000000000000000000000000000000000000000000000000000", // negative
		"26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371", // not a square
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // the prime itself
	} {
		b, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := element(b); ok {
			t.Errorf("%s is taken for an element", bad)
		}
	}
}
