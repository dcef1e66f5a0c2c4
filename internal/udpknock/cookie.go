package udpknock

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"net/netip"
	"time"
)

// slot is for how long cookies are made with one key. They are good until the next key is given up in turn: for one
// slot at least, and two at most. That is long enough for a client in the line to ask again and again with what it has,
// which halves the datagrams, and little longer than the time for which a router keeps the port of a client that says
// nothing.
const slot = 2 * time.Minute

// oven makes cookies and knows them again: the first half of an HMAC-SHA256 over address, port and holder, under a key
// that is drawn anew for every slot and never leaves the process. The lowest bit of the first byte does not belong to
// the HMAC, but says under which of the two keys the cookie was made, so that a wrong one costs no more than a right
// one.
//
// It goes by the time that has passed, not by the time of day. Should the clock it is given jump ahead nonetheless,
// cookies end early, and clients get others; should it jump back, the slot begins anew.
type oven struct {
	random io.Reader
	began  time.Time // the slot
	turn   byte      // which of the keys is that of the slot: 0 or 1
	keys   [2]hash.Hash

	// Given to the hash by reference, and kept here so that it is not allocated for each cookie.
	input [16 + 2 + len(Holder{})]byte
	sum   [sha256.Size]byte
}

func newOven(random io.Reader, now time.Time) (*oven, error) {
	if random == nil {
		random = rand.Reader
	}
	o := &oven{random: random, began: now}
	for i := range o.keys {
		if err := o.draw(i); err != nil {
			return nil, fmt.Errorf("udpknock: key of cookies: %w", err)
		}
	}
	return o, nil
}

// draw gives key i a new value.
func (o *oven) draw(i int) error {
	var key [sha256.Size]byte
	if _, err := io.ReadFull(o.random, key[:]); err != nil {
		return err
	}
	o.keys[i] = hmac.New(sha256.New, key[:])
	return nil
}

// tell makes the keys those of the time now. Without randomness the old ones stay, until a later call finds some.
func (o *oven) tell(now time.Time) {
	passed := now.Sub(o.began)
	if passed < 0 {
		o.began = now
		return
	}
	for range min(passed/slot, time.Duration(len(o.keys))) {
		if o.draw(int(1-o.turn)) != nil {
			return
		}
		o.turn = 1 - o.turn
	}
	o.began = o.began.Add(passed / slot * slot)
}

// bake returns the cookie of the slot for a client.
func (o *oven) bake(to netip.AddrPort, h Holder) Cookie { return o.under(o.turn, to, h) }

// knows reports whether c is a cookie for a client, made in this slot or the one before.
func (o *oven) knows(c *Cookie, from netip.AddrPort, h Holder) bool {
	want := o.under(c[0]&1, from, h)
	return subtle.ConstantTimeCompare(c[:], want[:]) == 1
}

// renew returns the cookie of the slot for a client that has shown c, which is good.
func (o *oven) renew(c Cookie, from netip.AddrPort, h Holder) Cookie {
	if c[0]&1 == o.turn {
		return c
	}
	return o.bake(from, h)
}

func (o *oven) under(turn byte, a netip.AddrPort, h Holder) (c Cookie) {
	ip := a.Addr().As16()
	copy(o.input[:], ip[:])
	binary.BigEndian.PutUint16(o.input[len(ip):], a.Port())
	copy(o.input[len(ip)+2:], h[:])
	mac := o.keys[turn]
	mac.Reset()
	_, _ = mac.Write(o.input[:]) // a hash takes everything
	copy(c[:], mac.Sum(o.sum[:0]))
	c[0] = c[0]&^1 | turn
	return c
}
