// Package mail writes the few mails that a node sends to players, and hands them to a mail server.
//
// It knows nothing of accounts: what is to be sent, to whom and when is said by its callers. Addresses come from
// [ParseAddress], texts from [Templates]. A [Sender] speaks SMTP, over TLS unless the server is on this machine; its
// errors hold neither an address nor what the server has said, which may repeat one.
package mail

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Message is a mail to one reader.
type Message struct {
	// To is an address as [ParseAddress] returns it.
	To string
	// Subject and Text are what is read; HTML is the same for those who see HTML, or empty.
	Subject, Text, HTML string
}

// Error says why a message was not taken by the mail server.
type Error struct {
	// Step is what was under way, one of [Steps].
	Step string
	// Code is what the server has answered (RFC 5321 section 4.2), 0 if it has not.
	Code int
	// Refused says that this message will never be taken, whenever it is tried again. Otherwise it may be later.
	Refused bool
	// Away says that nothing was said about this message: no other would have been taken either.
	Away bool
	// cause is what was wrong on this side, or on the way; nothing that the server has said.
	cause error
}

// The steps of a conversation with a mail server.
const (
	stepPrepare   = "prepare"
	stepConnect   = "connect"
	stepTLS       = "TLS"
	stepGreeting  = "greeting"
	stepLogin     = "login"
	stepSender    = "sender"
	stepRecipient = "recipient"
	stepMessage   = "message"
)

// Steps returns what can be under way when a message is not taken.
func Steps() []string {
	return []string{
		stepPrepare, stepConnect, stepTLS, stepGreeting, stepLogin, stepSender, stepRecipient, stepMessage,
	}
}

// Error returns the step, the code and the cause. It is meant for logs.
func (e *Error) Error() string {
	s := "mail: " + e.Step
	if e.Code != 0 {
		s += fmt.Sprintf(": the server has answered %d", e.Code)
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// ErrSender is wrapped by the errors about an address that mail cannot be sent from.
var ErrSender = errors.New("not an address to send mail from")

// Sender's name and address.
type from struct{ name, address string }

// maxFrom bounds the name of a sender, in bytes.
const maxFrom = 128

// parseFrom reads an address with or without a name: "noreply@example.org" or "The Game <noreply@example.org>".
func parseFrom(s string) (from, error) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || len(s) > maxFrom+MaxAddress {
		return from{}, fmt.Errorf("%w: it is too long, or has control characters", ErrSender)
	}
	read, err := mail.ParseAddress(s)
	if err != nil {
		return from{}, fmt.Errorf("%w: want one like noreply@example.org or \"The Game <noreply@example.org>\"", ErrSender)
	}
	address, err := ParseAddress(read.Address)
	if err != nil {
		return from{}, fmt.Errorf("%w: %w", ErrSender, err)
	}
	return from{printable(read.Name), address}, nil
}
