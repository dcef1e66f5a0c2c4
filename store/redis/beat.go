package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/beats"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// said is what a node says of itself, as it is stored beside the time.
type said struct {
	Run     string `json:"run"`
	Address string `json:"address,omitempty"`
}

// Beat implements [rushgate.Fleet] with one script. What is under a node's name and cannot be read is passed over.
func (s *Store) Beat(ctx context.Context, beat rushgate.NodeBeat) ([]rushgate.NodeStatus, error) {
	if err := validate.Beat(beat); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	says, err := json.Marshal(said{Run: beat.Run, Address: beat.Address})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return s.askForNodes(ctx, beat.Node, string(says))
}

// Nodes returns what is known of all nodes, as Beat does, to who is none: for a program that must not work on the store
// while a node runs.
func (s *Store) Nodes(ctx context.Context) ([]rushgate.NodeStatus, error) {
	return s.askForNodes(ctx, "", "")
}

// askForNodes returns what is known of all nodes, once it has noted what one says, if there is one.
func (s *Store) askForNodes(ctx context.Context, node, says string) ([]rushgate.NodeStatus, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	answers, err := s.runScripts(ctx, []command{{script: beatScript, key: s.beatsKey(), args: []string{
		s.now(), node, says, strconv.FormatInt(beats.Forgotten.Milliseconds(), 10),
		strconv.Itoa(rushgate.MaxNodes),
	}}})
	if err != nil {
		return nil, err
	}
	a := &answers[0]
	switch a.word {
	case "nodes":
		return readNodes(a), nil
	case damaged:
		return nil, fmt.Errorf("%w of key %s", a.err, s.beatsKey())
	default:
		return nil, a.problem()
	}
}

func readNodes(a *answer) []rushgate.NodeStatus {
	var nodes []rushgate.NodeStatus
	for i := 0; i+2 < len(a.rest); i += 3 {
		var says said
		if json.Unmarshal([]byte(a.text(i+2)), &says) != nil || says.Run == "" {
			continue
		}
		nodes = append(nodes, rushgate.NodeStatus{
			Instance: rushgate.Instance{Node: a.text(i), Run: says.Run}, Address: says.Address,
			Silence: time.Duration(a.number(i+1)) * time.Millisecond,
		})
	}
	return nodes
}
