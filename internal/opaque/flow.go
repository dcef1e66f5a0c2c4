package opaque

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// StateIDOf returns the id that a state says it has, which anybody can have written there.
func StateIDOf(sealed []byte) (id StateID, ok bool) {
	if len(sealed) < stateFixed || sealed[0] != stateVersion {
		return id, false
	}
	return StateID(sealed[stateHead:]), true
}

// GiveBack has a state be good again that was used, and of which nothing has come but that the client is to try again.
func (s *Server) GiveBack(id StateID) { s.cfg.Used.giveBack(id) }

// Life is for how long a state is good.
func (s *Server) Life() time.Duration { return s.cfg.Life }

func (u *Used) giveBack(id StateID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.now, id)
	delete(u.before, id)
}

// BindLen is the length of what [SessionKey.Bind] returns, in bytes.
const BindLen = sha256.Size

// Bind returns by what a client knows that a session's token comes from the server with which it shares the key: the
// HMAC-SHA256 of "rushgate session", a zero byte and the token, under the key.
func (k *SessionKey) Bind(token string) []byte {
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte("rushgate session\x00" + token))
	return mac.Sum(nil)
}
