package opaqueclient

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	library "github.com/bytemare/opaque"

	"github.com/rushgate/rushgate/internal/opaque"
)

// read reads JSON from a file.
func read(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What @serenity-kit/opaque 1.1.0 registered with a server of the first version, a player logs in to with this client
// and this server.
func TestGoldenRecord(t *testing.T) {
	var golden struct{ Keys, Record, Password string }
	read(t, "../opaque/testdata/golden.json", &golden)
	keys, err1 := opaque.ParseKeys([]byte(golden.Keys))
	record, err2 := opaque.ParseRecord(golden.Record)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	s, err := opaque.NewServer(opaque.Config{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	if client, node, err := logsIn(t, Options{}, s, &record, golden.Password); err != nil || !bytes.Equal(client, node) {
		t.Errorf("the keys differ, %v", err)
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// The client's part is that of RFC 9807: of the vectors with ristretto255 the one without names for the two sides,
// C.1.1, since this client names none. It stretches nothing, and has a context.
func TestRFCVector(t *testing.T) {
	var vectors []struct {
		Config struct{ Context hexBytes }
		Inputs struct {
			BlindLogin         hexBytes `json:"blind_login"`
			BlindRegistration  hexBytes `json:"blind_registration"`
			ClientKeyshareSeed hexBytes `json:"client_keyshare_seed"`
			ClientNonce        hexBytes `json:"client_nonce"`
			EnvelopeNonce      hexBytes `json:"envelope_nonce"`
			Password           hexBytes
		}
		Outputs struct {
			KE1, KE2, KE3        hexBytes
			ExportKey            hexBytes `json:"export_key"`
			RegistrationRequest  hexBytes `json:"registration_request"`
			RegistrationResponse hexBytes `json:"registration_response"`
			RegistrationUpload   hexBytes `json:"registration_upload"`
			SessionKey           hexBytes `json:"session_key"`
		}
	}
	read(t, "../opaque/testdata/rfc9807.json", &vectors)
	v := vectors[0]
	p := usual()
	p.conf.KSF, p.conf.Context = 0, v.Config.Context
	p.extra = &library.ClientOptions{RegistrationEnvelopeNonce: v.Inputs.EnvelopeNonce}
	blind := func(b []byte) *library.ClientOptions {
		s, err := library.DeserializeScalar(p.conf.OPRF.Group(), b)
		if err != nil {
			t.Fatal(err)
		}
		return &library.ClientOptions{OPRFBlind: s, AKE: &library.AKEOptions{
			SecretKeyShareSeed: v.Inputs.ClientKeyshareSeed, Nonce: v.Inputs.ClientNonce,
		}}
	}
	r, request, err := p.register(string(v.Inputs.Password), blind(v.Inputs.BlindRegistration))
	if err != nil || !bytes.Equal(request, v.Outputs.RegistrationRequest) {
		t.Fatalf("the request is %x, %v", request, err)
	}
	upload, err := r.Finish(t.Context(), v.Outputs.RegistrationResponse, Options{})
	if err != nil || !bytes.Equal(upload, v.Outputs.RegistrationUpload) {
		t.Errorf("the upload is %x, %v", upload, err)
	}
	l, ke1, err := p.login(string(v.Inputs.Password), blind(v.Inputs.BlindLogin))
	if err != nil || !bytes.Equal(ke1, v.Outputs.KE1) {
		t.Fatalf("KE1 is %x, %v", ke1, err)
	}
	proof, err := l.Finish(t.Context(), v.Outputs.KE2, Options{})
	if err != nil || !bytes.Equal(proof.KE3, v.Outputs.KE3) || !bytes.Equal(proof.SessionKey, v.Outputs.SessionKey) ||
		!bytes.Equal(proof.ExportKey, v.Outputs.ExportKey) {
		t.Errorf("KE3, or a key, is wrong: %v", err)
	}
}

// FuzzAnswers looks for answers of a server that crash a client, or with which it has proved something.
func FuzzAnswers(f *testing.F) {
	s := newServer(f)
	_, request, err := Register("correct horse")
	if err != nil {
		f.Fatal(err)
	}
	response, _, err := s.RegisterStart("alice", request)
	if err != nil {
		f.Fatal(err)
	}
	_, ke1, err := Login("correct horse")
	if err != nil {
		f.Fatal(err)
	}
	ke2, _, err := s.LoginStart("alice", nil, ke1, opaque.PurposeLogin)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(response)
	f.Add(ke2)
	f.Fuzz(func(t *testing.T, answer []byte) {
		r, _, err1 := Register("correct horse")
		l, _, err2 := Login("correct horse")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if upload, err := r.Finish(t.Context(), answer, cheap); err == nil != (len(upload) == opaque.UploadSize) ||
			errors.Is(err, ErrPanic) {
			t.Errorf("an upload of %d bytes and %v", len(upload), err)
		}
		if _, err := l.Finish(t.Context(), answer, cheap); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRefused) {
			t.Errorf("KE2: %v", err)
		}
	})
}
