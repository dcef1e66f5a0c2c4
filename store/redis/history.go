package redis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// historyField holds the history of an account, in its record: it goes with the account whatever removes that, also a
// program that knows nothing of histories. Each event is a line, the oldest first: when, sort, id, and the rest as
// JSON.
const historyField = "history"

// The sorts of events, which are counted apart.
const (
	sortSignIn = "s"
	sortOther  = "e"
)

// eventRest is what a script need not understand of an event.
type eventRest struct {
	Kind string `json:"kind"`
	By   string `json:"by,omitempty"`
	From string `json:"from,omitempty"`
	Text string `json:"text,omitempty"`
}

// Note implements [rushgate.Histories], each event by one script.
func (s *Store) Note(ctx context.Context, events []rushgate.Noted) ([]error, error) {
	if err := validate.Noted(events); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(events))
	names := make([]string, len(events))
	for i := range events {
		e := &events[i]
		rest, err := marshalRest(&e.AccountEvent)
		if err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		sort, most := sortOther, rushgate.MaxEvents
		if e.SignIn {
			sort, most = sortSignIn, rushgate.MaxSignIns
		}
		names[i] = e.Name
		commands[i] = command{script: noteEventScript, key: s.playerKey(e.Name), args: []string{
			formatID(e.Player), strconv.Itoa(most), formatTime(e.At), sort, e.ID, rest,
			strconv.Itoa(rushgate.MaxOperatorEvents),
		}}
	}
	answers, err := s.runAccountScripts(ctx, commands, names)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(events))
	for i := range answers {
		switch answers[i].word {
		case "noted":
		case "missing", renaming:
			errs[i] = rushgate.BadCredentials
		default:
			errs[i] = answers[i].problem()
		}
	}
	return errs, nil
}

// marshalRest writes nothing longer than it has to be: most of all that is quoted by default is not special here.
func marshalRest(e *rushgate.AccountEvent) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(eventRest{Kind: e.Kind, By: e.By, From: e.From, Text: e.Text})
	return strings.TrimSuffix(b.String(), "\n"), err
}

// LoadHistories implements [rushgate.Histories].
func (s *Store) LoadHistories(ctx context.Context, usernames []string) ([]rushgate.LoadedHistory, error) {
	loaded := make([]rushgate.LoadedHistory, len(usernames))
	fields := []string{"id", historyField}
	err := s.load(ctx, usernames, fields, func(i int, values []rueidis.RedisMessage, err error) error {
		loaded[i].Events, loaded[i].Err = readHistory(newReader(fields, values, err))
		return loaded[i].Err
	})
	if err != nil {
		return nil, err
	}
	return loaded, nil
}

func readHistory(r *reader, exists bool) ([]rushgate.AccountEvent, error) {
	if !exists {
		return nil, nil
	}
	r.id()
	events := parseText(r, r.optional(""), parseHistory)
	if r.err != nil {
		return nil, damagedRecord(r.err)
	}
	return events, nil
}

// parseHistory never repeats what it was given.
func parseHistory(history string) ([]rushgate.AccountEvent, error) {
	if history == "" {
		return nil, nil
	}
	lines := strings.SplitAfter(history, "\n")
	if n := len(lines) - 1; lines[n] != "" {
		return nil, errors.New("ends within an event")
	}
	if len(lines)-1 > rushgate.MaxSignIns+rushgate.MaxEvents {
		return nil, fmt.Errorf("%d events, more than there can be", len(lines)-1)
	}
	var events []rushgate.AccountEvent
	for i, line := range lines[:len(lines)-1] {
		e, err := parseEvent(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
		if i > 0 && e.At.Before(events[i-1].At) {
			return nil, fmt.Errorf("event %d is before the one before it", i+1)
		}
		events = append(events, e)
	}
	return events, nil
}

func parseEvent(line string) (rushgate.AccountEvent, error) {
	parts := strings.SplitN(line, " ", 4)
	if len(parts) != 4 || parts[1] != sortSignIn && parts[1] != sortOther {
		return rushgate.AccountEvent{}, errors.New("not time, sort, id and the rest")
	}
	at, err := strconv.ParseUint(parts[0], 10, 63)
	var rest eventRest
	if err != nil || json.Unmarshal([]byte(parts[3]), &rest) != nil {
		return rushgate.AccountEvent{}, errors.New("has no time, or its rest is no JSON")
	}
	e := rushgate.AccountEvent{
		ID: parts[2], At: fromMillis(int64(at)), SignIn: parts[1] == sortSignIn,
		Kind: rest.Kind, By: rest.By, From: rest.From, Text: rest.Text,
	}
	return e, validate.AccountEvent(&e)
}
