package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
	"github.com/rushgate/rushgate/store/redis"
)

// A node that runs is found by its next beat, one that was stopped a moment ago is waited for, and one that is gone is
// not.
func TestAwaitSilence(t *testing.T) {
	for name, tt := range map[string]struct {
		nodes   int
		silence time.Duration // at first
		alive   bool
		want    string
		within  time.Duration
	}{
		"none":         {0, 0, false, "", 0},
		"gone":         {2, nodeGoneAfter, false, "", 0},
		"just stopped": {2, time.Second, false, "", nodeGoneAfter - time.Second},
		"one runs":     {1, 900 * time.Millisecond, true, `first: "node-0" (play0.example.org:1)`, 2 * time.Second},
		"many run":     {9, 100 * time.Millisecond, true, "and others", 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := awaitSilence(t.Context(), func(context.Context) (nodes []rushgate.NodeStatus, _ error) {
					silence := tt.silence + time.Since(began)
					if tt.alive {
						silence %= time.Second
					}
					for i := range tt.nodes {
						nodes = append(nodes, rushgate.NodeStatus{
							Instance: rushgate.Instance{Node: fmt.Sprint("node-", i), Run: "r"},
							Address:  fmt.Sprintf("play%d.example.org:1", i), Silence: silence,
						})
					}
					return nodes, nil
				})
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
				if took := time.Since(began); took > tt.within {
					t.Errorf("after %v, want %v at most", took, tt.within)
				}
			})
		})
	}
	away := errors.New("away")
	err := awaitSilence(t.Context(), func(context.Context) ([]rushgate.NodeStatus, error) { return nil, away })
	if !errors.Is(err, away) {
		t.Errorf("of a store that does not answer: %v", err)
	}
}

// From and to a Redis on which a node runs nothing is moved.
func TestMoveWhileNodesRun(t *testing.T) {
	data, url := t.TempDir(), redistest.Start(t).URL()
	runAccount(t, "correct horse\n", "create", "alice", "--data", data).want(t, 0, "created", "")
	store, err := redis.Open(t.Context(), redis.Options{URLs: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			_, err = store.Beat(context.WithoutCancel(ctx), rushgate.NodeBeat{
				Instance: rushgate.Instance{Node: "node-a", Run: "r"}, Address: "play.example.org:1",
			})
			select {
			case <-ctx.Done():
			case <-time.After(beatOfTest):
			}
		}
		stopped <- err
	}()
	for flag, args := range map[string][]string{
		"--to: ":   {"--from", data, "--to", url},
		"--from: ": {"--from", url, "--to", t.TempDir()},
	} {
		o := runProcess(t, "", append([]string{"move"}, args...)...)
		if o.status != 1 || o.stdout != "" || !strings.Contains(o.stderr, flag+`a node runs on this store; stop all first: "node-a" (play`) {
			t.Errorf("%q: %+v", args, o)
		}
	}
	stop()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	nodes, err := store.Nodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Node != "node-a" || nodes[0].Run != "r" || nodes[0].Address != "play.example.org:1" {
		t.Errorf("who asks is a node: %+v, %v", nodes, err)
	}
}

const beatOfTest = 50 * time.Millisecond
