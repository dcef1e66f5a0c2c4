package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rushgate/rushgate/internal/handover"
	"github.com/rushgate/rushgate/store/sqlite"
)

// Two processes of which one is to go on in place of the other must have one store, however each is told where that is:
// the leases of players are worth nothing in another. So the old one leaves a mark in its store, and the new one looks
// for it in its own. With SQLite, which the new one cannot read yet, the lock that it is given has to be that of its
// database.
const (
	// marksName is the name under which the fleet shares the marks.
	marksName = "handovers"
	// marks is how many are kept: those of as many nodes that are replaced at once.
	marks = 64
	// markTimeout bounds leaving one, and looking for one: the other process waits.
	markTimeout = 2 * time.Second
)

// leaveMark leaves a mark in the store and puts it into an offer, once it is known that the store can be written to.
func (p *predecessor) leaveMark(o *handover.Offer) error {
	ctx, cancel := context.WithTimeout(context.Background(), markTimeout)
	defer cancel()
	var err error
	if _, ok := p.inner.(*sqlite.Store); ok {
		err = p.store.Ping(ctx)
	} else {
		o.Facts[markFact] = rand.Text()
		err = p.addMark(ctx, o.Facts[markFact])
	}
	if err != nil {
		return fmt.Errorf("the store of the node that runs cannot be written to: %w", err)
	}
	return nil
}

func (p *predecessor) addMark(ctx context.Context, mark string) error {
	for {
		before, err := p.store.Shared(ctx, marksName)
		if err != nil {
			return err
		}
		all := append(strings.Fields(string(before)), mark)
		all = all[max(0, len(all)-marks):]
		swapped, err := p.store.SwapShared(ctx, marksName, before, []byte(strings.Join(all, " ")))
		if swapped || err != nil {
			return err
		}
	}
}

// sameStore returns an error if the players of the other process are in another store than those of this one.
func (n *successor) sameStore(ctx context.Context, s *Server) error {
	mark := n.Offer().Facts[markFact]
	if _, ok := s.inner.(*sqlite.Store); ok || mark == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	found, err := s.store.Shared(ctx, marksName)
	if err != nil {
		return fmt.Errorf("server: store: %w", err)
	}
	if !strings.Contains(string(found), mark) {
		return errors.New("server: the players of the node that runs are in another store than the one that this node is " +
			"told to use: that cannot change without a restart")
	}
	return nil
}

// lock returns the lock of the data folder, which is that of the database at a path.
func (n *successor) lock(database string) (*os.File, error) {
	f := n.File(lockFile)
	if f == nil {
		return nil, errors.New("server: the node that runs has not given its lock")
	}
	given, err := f.Stat()
	paths := []string{database}
	if resolved, e := filepath.EvalSymlinks(database); e == nil { // where a database is that is elsewhere
		paths = append(paths, resolved)
	}
	for _, path := range paths {
		if own, e := os.Stat(path + ".lock"); err == nil && e == nil && os.SameFile(own, given) {
			return f, nil
		}
	}
	_ = f.Close() // a copy
	return nil, fmt.Errorf("server: the database of the node that runs is another than %s: that cannot change without a "+
		"restart", database)
}
