package opaque

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	library "github.com/bytemare/opaque"
	"github.com/bytemare/opaque/message"
)

// chanceOf returns chance that is always the same for the same seed.
func chanceOf(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func newTestKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := NewKeys(chanceOf(1))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// clock is a time that a test sets.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, time.December, 1, 18, 0, 0, 0, time.UTC)} }

// newTestServer returns a server with keys of its own; a panic fails the test.
func newTestServer(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	cfg := Config{
		Keys: newTestKeys(t), Now: func() time.Time { return newClock().now },
		Panicked: func(stack []byte) { t.Errorf("a panic: %s", stack) },
	}
	if change != nil {
		change(&cfg)
	}
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// player is a client by the library, which stretches nothing.
type player struct {
	t    testing.TB
	conf *library.Configuration
}

func newPlayer(t testing.TB) *player {
	conf := library.DefaultConfiguration()
	conf.KSF = 0
	return &player{t, conf}
}

func (p *player) client() *library.Client {
	p.t.Helper()
	c, err := p.conf.Client()
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// request returns a request to register, and what makes the upload of the response.
func (p *player) request(password string) ([]byte, func(response []byte) []byte) {
	p.t.Helper()
	c := p.client()
	request, err := c.RegistrationInit([]byte(password))
	if err != nil {
		p.t.Fatal(err)
	}
	return request.Serialize(), func(response []byte) []byte {
		p.t.Helper()
		r, err := c.Deserialize.RegistrationResponse(response)
		if err != nil {
			p.t.Fatal(err)
		}
		record, _, err := c.RegistrationFinalize(r, nil, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		return record.Serialize()
	}
}

func (p *player) register(s *Server, name, password string) Record {
	p.t.Helper()
	request, upload := p.request(password)
	response, state, err := s.RegisterStart(name, request)
	if err != nil {
		p.t.Fatal(err)
	}
	got, record, err := s.RegisterFinish(state, upload(response))
	if err != nil || got != name {
		p.t.Fatalf("%q, %v", got, err)
	}
	return record
}

// ke1 returns a KE1, and what makes KE3 and the session key of a KE2; both are nil if the password does not open it.
func (p *player) ke1(password string) ([]byte, func(ke2 []byte) (ke3, sessionKey []byte)) {
	p.t.Helper()
	c := p.client()
	ke1, err := c.GenerateKE1([]byte(password))
	if err != nil {
		p.t.Fatal(err)
	}
	return ke1.Serialize(), func(b []byte) ([]byte, []byte) {
		p.t.Helper()
		ke2, err := c.Deserialize.KE2(b)
		if err != nil {
			p.t.Fatal(err)
		}
		ke3, key, _, err := c.GenerateKE3(ke2, nil, nil)
		if err != nil {
			return nil, nil
		}
		return ke3.Serialize(), key
	}
}

// start begins a login with the right password.
func (p *player) start(s *Server, name string, record *Record) (state, ke3, sessionKey []byte) {
	p.t.Helper()
	ke1, opens := p.ke1("correct horse")
	ke2, state, err := s.LoginStart(name, record, ke1, PurposeLogin)
	if err != nil {
		p.t.Fatal(err)
	}
	ke3, sessionKey = opens(ke2)
	return state, ke3, sessionKey
}

// finish opens the state of a login and finishes it, for an account with a record.
func finish(s *Server, state, ke3 []byte, record *Record, p Purpose) (SessionKey, error) {
	l, err := s.LoginOpen(state, p)
	if err != nil {
		return SessionKey{}, err
	}
	return s.LoginFinish(l, record, ke3)
}

func TestRegisterAndLogIn(t *testing.T) {
	s, p := newTestServer(t, nil), newPlayer(t)
	record := p.register(s, "alice", "correct horse")
	state, ke3, key := p.start(s, "alice", &record)
	login, err := s.LoginOpen(state, PurposeLogin)
	if err != nil || login.Name != "alice" {
		t.Fatal(err)
	}
	if got, err := s.LoginFinish(login, &record, ke3); err != nil || !bytes.Equal(got[:], key) {
		t.Fatalf("the keys differ, %v", err)
	}
	if want := newClock().now.Add(DefaultLife); !login.Expires.Equal(want) {
		t.Errorf("it expires at %v, want %v", login.Expires, want)
	}
	ke1, opens := p.ke1("correct house")
	ke2, _, err := s.LoginStart("alice", &record, ke1, PurposeLogin)
	if err != nil {
		t.Fatal(err)
	}
	if ke3, _ := opens(ke2); ke3 != nil {
		t.Error("a wrong password opens KE2")
	}
}

// Whatever the library answers, this package answers, byte for byte: to 50 registrations and logins.
func TestSameAsTheLibrary(t *testing.T) {
	random := chanceOf(2)
	for i := range 50 {
		keys, err := NewKeys(random)
		if err != nil {
			t.Fatal(err)
		}
		k, theirs := keys.current(), libraryServer(t, keys.current())
		name := strings.Repeat("n", 1+i*5)
		p := newPlayer(t)
		request, upload := p.request("correct horse")
		r, err := theirs.Deserialize.RegistrationRequest(request)
		if err != nil {
			t.Fatal(err)
		}
		response, err := theirs.RegistrationResponse(r, []byte(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.register(name, request); err != nil || !bytes.Equal(got, response.Serialize()) {
			t.Fatalf("%d: the response differs, %v", i, err)
		}
		var c chance
		random.Read(c.keyShareSeed[:])
		random.Read(c.serverNonce[:])
		random.Read(c.maskingNonce[:])
		uploaded := upload(response.Serialize())
		ke1, _ := p.ke1("correct horse")
		ke2, output := libraryLogin(t, theirs, name, uploaded, ke1, &c)
		a, err := k.login(name, (*[UploadSize]byte)(uploaded), ke1, &c)
		if err != nil || !bytes.Equal(a.ke2, ke2) || !bytes.Equal(a.clientMAC, output.ClientMAC) ||
			!bytes.Equal(a.sessionKey, output.SessionSecret) {
			t.Fatalf("%d: the login differs, %v", i, err)
		}
	}
}

// libraryServer returns the library's server with a key of ours.
func libraryServer(t testing.TB, k *key) *library.Server {
	t.Helper()
	conf := library.DefaultConfiguration()
	s, err := conf.Server()
	if err != nil {
		t.Fatal(err)
	}
	private, err := s.Deserialize.DecodePrivateKey(k.private.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	err = s.SetKeyMaterial(&library.ServerKeyMaterial{
		PrivateKey: private, PublicKeyBytes: k.public[:], OPRFGlobalSeed: k.seed[:],
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// libraryLogin is the library's answer to a KE1.
func libraryLogin(t testing.TB, s *library.Server, name string, upload, ke1 []byte, c *chance) (
	[]byte, *library.ServerOutput,
) {
	t.Helper()
	var m *message.KE1
	record, err := s.Deserialize.RegistrationRecord(upload)
	if err == nil {
		m, err = s.Deserialize.KE1(ke1)
	}
	if err != nil {
		t.Fatal(err)
	}
	o := &library.ServerOptions{MaskingNonce: c.maskingNonce[:], AKE: &library.AKEOptions{
		SecretKeyShareSeed: c.keyShareSeed[:], Nonce: c.serverNonce[:],
	}}
	ke2, output, err := s.GenerateKE2(m, &library.ClientRecord{
		CredentialIdentifier: []byte(name), RegistrationRecord: record,
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return ke2.Serialize(), output
}

// A name without an account is answered in as many bytes, always from the same fake record, which no password opens.
func TestUnknownNames(t *testing.T) {
	s, p := newTestServer(t, nil), newPlayer(t)
	record := p.register(s, "alice", "correct horse")
	k := s.Keys().current()
	if one, other := k.fake("bob"), k.fake("bob"); *one != *other || *one == *k.fake("carol") {
		t.Error("fake records of a name differ, or those of two names do not")
	}
	if _, err := newRecord(k.id, k.fake("bob")[:]); err != nil {
		t.Errorf("a fake record is none: %v", err)
	}
	ke1, opens := p.ke1("correct horse")
	known, state1, err1 := s.LoginStart("alice", &record, ke1, PurposeLogin)
	unknown, state2, err2 := s.LoginStart("erika", nil, ke1, PurposeLogin)
	again, _, err3 := s.LoginStart("erika", nil, ke1, PurposeLogin)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if len(known) != len(unknown) || len(known) != KE2Size || len(state1) != len(state2) {
		t.Errorf("%d and %d bytes, states of %d and %d", len(known), len(unknown), len(state1), len(state2))
	}
	if !bytes.Equal(unknown[:elementSize], again[:elementSize]) {
		t.Error("the same request of the same name is evaluated in two ways")
	}
	if ke3, _ := opens(unknown); ke3 != nil {
		t.Error("a password opens the answer for a name without an account")
	}
	if _, err := finish(s, state2, make([]byte, KE3Size), nil, PurposeLogin); !errors.Is(err, ErrRefused) {
		t.Errorf("a made-up KE3: %v", err)
	}
}

// What a client can do wrong or evil to a state: each is refused, and says why.
func TestStatesThatAreRefused(t *testing.T) {
	c := newClock()
	s := newTestServer(t, func(cfg *Config) { cfg.Now = func() time.Time { return c.now } })
	other := newTestServer(t, func(cfg *Config) { cfg.Keys, _ = NewKeys(chanceOf(9)) })
	p := newPlayer(t)
	record := p.register(s, "alice", "correct horse")

	state, ke3, _ := p.start(s, "alice", &record)
	for name, err := range map[string]error{
		"another purpose":     second(finish(s, state, ke3, &record, PurposeConfirm)),
		"as a registration":   second(finish(s, state, ke3, &record, PurposeRegister)),
		"registered with":     third(s.RegisterFinish(state, record.upload[:])),
		"nothing":             second(finish(s, nil, ke3, &record, PurposeLogin)),
		"cut":                 second(finish(s, state[:len(state)-1], ke3, &record, PurposeLogin)),
		"longer":              second(finish(s, append(state[:len(state):len(state)], 0), ke3, &record, PurposeLogin)),
		"longer than any":     second(finish(s, make([]byte, MaxLoginState+1), ke3, &record, PurposeLogin)),
		"of another version":  second(finish(s, append([]byte{2}, state[1:]...), ke3, &record, PurposeLogin)),
		"with another nonce":  second(finish(s, flip(state, stateHead), ke3, &record, PurposeLogin)),
		"with another cipher": second(finish(s, flip(state, len(state)-1), ke3, &record, PurposeLogin)),
	} {
		if !errors.Is(err, ErrBadState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := second(finish(other, state, ke3, &record, PurposeLogin)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("at another fleet: %v", err)
	}
	for _, size := range []int{0, KE3Size - 1, KE3Size + 1} {
		if err := second(finish(s, state, make([]byte, size), &record, PurposeLogin)); !errors.Is(err, ErrMalformed) {
			t.Errorf("KE3 of %d bytes: %v", size, err)
		}
	}
	if _, err := finish(s, state, ke3, &record, PurposeLogin); err != nil {
		t.Errorf("after all that: %v", err)
	}
	if err := second(finish(s, state, ke3, &record, PurposeLogin)); !errors.Is(err, ErrUsed) {
		t.Errorf("a second time: %v", err)
	}

	state, ke3, _ = p.start(s, "alice", &record)
	if err := second(finish(s, state, flip(ke3, 0), &record, PurposeLogin)); !errors.Is(err, ErrRefused) {
		t.Errorf("a wrong KE3: %v", err)
	}
	if err := second(finish(s, state, ke3, &record, PurposeLogin)); !errors.Is(err, ErrUsed) {
		t.Errorf("after a wrong KE3: %v", err)
	}

	_, ke3, _ = p.start(s, "alice", &record)
	mixed, _, _ := p.start(s, "bob", nil)
	if err := second(finish(s, mixed, ke3, &record, PurposeLogin)); !errors.Is(err, ErrRefused) {
		t.Errorf("the KE3 of another login: %v", err)
	}

	state, ke3, _ = p.start(s, "alice", &record)
	again := p.register(s, "alice", "correct horse")
	if err := second(finish(s, state, ke3, &again, PurposeLogin)); !errors.Is(err, ErrChanged) {
		t.Errorf("of an account that was registered anew: %v", err)
	}
	state, ke3, _ = p.start(s, "alice", &record)
	if err := second(finish(s, state, ke3, nil, PurposeLogin)); !errors.Is(err, ErrRefused) {
		t.Errorf("of an account that was deleted: %v", err)
	}

	state, ke3, _ = p.start(s, "alice", &record)
	waiting, err := s.LoginOpen(state, PurposeLogin)
	if err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(DefaultLife)
	if err := second(s.LoginFinish(waiting, &record, ke3)); !errors.Is(err, ErrExpired) {
		t.Errorf("opened in time, and too late: %v", err)
	}
	if err := second(finish(s, state, ke3, &record, PurposeLogin)); !errors.Is(err, ErrExpired) {
		t.Errorf("too late: %v", err)
	}
}

func second[T any](_ T, err error) error      { return err }
func third[T, U any](_ T, _ U, e error) error { return e }

// flip returns b with one bit changed.
func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

func TestMalformedMessages(t *testing.T) {
	s, p := newTestServer(t, nil), newPlayer(t)
	record := p.register(s, "alice", "correct horse")
	ke1, _ := p.ke1("correct horse")
	noNonce := bytes.Clone(ke1)
	clear(noNonce[elementSize : elementSize+nonceSize])
	identity := bytes.Clone(ke1)
	clear(identity[:elementSize])
	noShare := bytes.Clone(ke1)
	clear(noShare[elementSize+nonceSize:])
	for i, bad := range [][]byte{nil, ke1[1:], append(ke1[:len(ke1):len(ke1)], 0), noNonce, identity, noShare} {
		for _, r := range []*Record{&record, nil} {
			if _, _, err := s.LoginStart("alice", r, bad, PurposeLogin); !errors.Is(err, ErrMalformed) {
				t.Errorf("KE1 %d: %v", i, err)
			}
		}
	}
	request, upload := p.request("correct horse")
	for i, bad := range [][]byte{nil, request[1:], append(request[:32:32], 0), make([]byte, RequestSize)} {
		if _, _, err := s.RegisterStart("alice", bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	response, state, err := s.RegisterStart("alice", request)
	if err != nil {
		t.Fatal(err)
	}
	good := upload(response)
	noMask := bytes.Clone(good)
	clear(noMask[elementSize : elementSize+hashSize])
	longer := append(good[:UploadSize:UploadSize], 0)
	for i, bad := range [][]byte{nil, good[1:], longer, make([]byte, UploadSize), noMask} {
		if _, _, err := s.RegisterFinish(state, bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("upload %d: %v", i, err)
		}
	}
	if _, _, err := s.RegisterFinish(state, good); err != nil {
		t.Error(err)
	}
	if _, _, err := s.RegisterFinish(state, good); !errors.Is(err, ErrUsed) {
		t.Errorf("a registration twice: %v", err)
	}
	for _, name := range []string{"", strings.Repeat("n", MaxName+1)} {
		if _, _, err := s.RegisterStart(name, request); !errors.Is(err, ErrName) {
			t.Errorf("a name of %d: %v", len(name), err)
		}
		if _, _, err := s.LoginStart(name, nil, ke1, PurposeLogin); !errors.Is(err, ErrName) {
			t.Errorf("a name of %d: %v", len(name), err)
		}
	}
	if _, _, err := s.LoginStart("alice", nil, ke1, PurposeRegister); err == nil {
		t.Error("a login is for a registration")
	}
	zeros := Record{key: s.Keys().current().id}
	if _, _, err := s.LoginStart("alice", &zeros, ke1, PurposeLogin); !errors.Is(err, ErrBadRecord) {
		t.Errorf("a record of zeros: %v", err)
	}
}

// A key that is added for later, put to use, and taken away again in the end: nobody loses a password who logs in, or
// is registered anew, meanwhile.
func TestRotation(t *testing.T) {
	s, p := newTestServer(t, nil), newPlayer(t)
	old := p.register(s, "alice", "correct horse")
	one := s.Keys()
	both, err := one.Prepared(chanceOf(3))
	if err != nil {
		t.Fatal(err)
	}
	login := func(r *Record) error {
		ke1, opens := p.ke1("correct horse")
		ke2, state, err := s.LoginStart("alice", r, ke1, PurposeLogin)
		if err != nil {
			return err
		}
		ke3, _ := opens(ke2)
		return second(finish(s, state, ke3, r, PurposeLogin))
	}
	request, upload := p.request("correct horse")
	response, state, err := s.RegisterStart("alice", request) // is finished after the rotation
	if err != nil {
		t.Fatal(err)
	}
	s.SetKeys(both)
	if r := p.register(s, "alice", "correct horse"); r.Key() != old.Key() || login(&old) != nil {
		t.Error("a key is in use that is only prepared")
	}
	promoted, err := both.Promoted()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := promoted.Promoted(); !errors.Is(err, ErrNonePrepared) {
		t.Errorf("the key before could be put to use again: %v", err)
	}
	s.SetKeys(promoted)
	fresh := p.register(s, "alice", "correct horse")
	if fresh.Key() == old.Key() || login(&old) != nil || login(&fresh) != nil {
		t.Error("a promoted key is not in use, or one of the two records does not work")
	}
	if _, r, err := s.RegisterFinish(state, upload(response)); err != nil || r.Key() != old.Key() || login(&r) != nil {
		t.Errorf("a registration across the rotation: %v", err)
	}
	if _, err := s.Keys().Without(fresh.Key()); err == nil {
		t.Error("the key in use is taken away")
	}
	left, err := s.Keys().Without(old.Key())
	if err != nil {
		t.Fatal(err)
	}
	s.SetKeys(left)
	if err := login(&old); !errors.Is(err, ErrUnknownKey) || login(&fresh) != nil {
		t.Errorf("after the old key has gone: %v", err)
	}
}

// panics panics when it is read, with what nobody may see.
type panics struct{}

func (panics) Read([]byte) (int, error) { panic("correct horse") }

func TestPanicsAreRecoveredAndCounted(t *testing.T) {
	var stacks [][]byte
	s := newTestServer(t, func(cfg *Config) {
		cfg.Random, cfg.Panicked = panics{}, func(stack []byte) { stacks = append(stacks, stack) }
	})
	p := newPlayer(t)
	request, _ := p.request("correct horse")
	ke1, _ := p.ke1("correct horse")
	_, _, err1 := s.RegisterStart("alice", request)
	_, _, err2 := s.LoginStart("alice", nil, ke1, PurposeLogin)
	if !errors.Is(err1, ErrPanic) || !errors.Is(err2, ErrPanic) || len(stacks) != 2 {
		t.Fatalf("%v, %v, %d", err1, err2, len(stacks))
	}
	if !bytes.Contains(stacks[0], []byte("RegisterStart")) || bytes.Contains(stacks[0], []byte("correct horse")) {
		t.Errorf("the stack: %s", stacks[0])
	}
}

// Others are let run between any two multiplications.
func TestYields(t *testing.T) {
	yields, before := 0, yield
	yield = func() { yields++ }
	defer func() { yield = before }()
	s, p := newTestServer(t, nil), newPlayer(t)
	ke1, _ := p.ke1("correct horse")
	if _, _, err := s.LoginStart("alice", nil, ke1, PurposeLogin); err != nil || yields != 4 {
		t.Errorf("%d yields, %v", yields, err)
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	s, p := newTestServer(t, nil), newPlayer(t)
	record := p.register(s, "alice", "correct horse")
	state, ke3, key := p.start(s, "alice", &record)
	pending, err1 := s.LoginOpen(state, PurposeLogin)
	shared, err2 := finish(s, state, ke3, &record, PurposeLogin)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "keys", s.Keys(), "record", record, "key", shared, "login", pending)
	printed := fmt.Sprintf("%v %+v %x %v %x %+v %x", s.Keys(), *s.Keys(), s.Keys(), record, record, shared, shared) +
		fmt.Sprintf("%v %+v %x", pending, *pending, *pending)
	for _, secret := range [][]byte{key, record.upload[elementSize:], s.Keys().current().secret[:]} {
		part := [16]byte(secret)
		for _, form := range []string{fmt.Sprintf("%x", part), strings.Trim(fmt.Sprint(part), "[]"), string(part[:])} {
			if strings.Contains(printed+log.String(), form) {
				t.Errorf("%s is in %s %s", form, printed, log.String())
			}
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	keys := newTestKeys(t)
	for i, cfg := range []Config{
		{}, {Keys: keys, Life: -1}, {Keys: keys, Life: MaxLife + 1}, {Keys: keys, Used: NewUsed(time.Second, 1)},
	} {
		if _, err := NewServer(cfg); err == nil {
			t.Errorf("configuration %d is taken", i)
		}
	}
}
