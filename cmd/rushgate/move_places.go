package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/server"
)

const (
	// nodeGoneAfter is how long a node has been silent that is not there any more: each says once a second that it is.
	nodeGoneAfter = 5 * time.Second
	// nodeLookEvery is how often a store is asked whether a node has said so again.
	nodeLookEvery = 250 * time.Millisecond
	// nodesNamed is how many nodes an error names.
	nodesNamed = 5
)

// samePlace reports whether two places that were given for stores are one, however they are written. Of two URLs that
// is known only if they are the same.
func samePlace(a, b secret) bool {
	if a == b {
		return true
	}
	if kindOfPlace(a) != "sqlite" || kindOfPlace(b) != "sqlite" {
		return false
	}
	same := func(a, b string) bool {
		x, errX := os.Stat(a)
		y, errY := os.Stat(b)
		return errX == nil && errY == nil && os.SameFile(x, y)
	}
	database := func(dir secret) string { return filepath.Join(string(dir), server.DatabaseName) }
	return same(string(a), string(b)) || same(database(a), database(b))
}

// awaitSilence returns an error if a node is there on a store. One that was there a moment ago may have been stopped: it
// is waited for until it says so again, or has been silent for nodeGoneAfter.
func awaitSilence(ctx context.Context, ask func(context.Context) ([]rushgate.NodeStatus, error)) error {
	began := time.Now()
	for {
		nodes, err := ask(ctx)
		if err != nil {
			return err
		}
		var there []string
		recent, since := false, time.Since(began)
		for _, n := range nodes {
			recent = recent || n.Silence < nodeGoneAfter
			if n.Silence+nodeLookEvery < since { // it was heard of after the first look
				there = append(there, nameOfNode(n))
			}
		}
		switch {
		case len(there) > nodesNamed:
			return fmt.Errorf("%d nodes run on this store; stop all first: %s and others", len(there),
				strings.Join(there[:nodesNamed], ", "))
		case len(there) > 0:
			return fmt.Errorf("a node runs on this store; stop all first: %s", strings.Join(there, ", "))
		case !recent:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(nodeLookEvery):
		}
	}
}

// nameOfNode is how an operator knows a node: by its id, and by where players reach it, if it says that.
func nameOfNode(n rushgate.NodeStatus) string {
	if n.Address == "" {
		return quote(n.Node)
	}
	return quote(n.Node) + " (" + printable(n.Address) + ")"
}
