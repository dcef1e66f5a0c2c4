package memory

import (
	"bytes"
	"context"
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// Shared implements [rushgate.Fleet].
func (s *Store) Shared(ctx context.Context, name string) ([]byte, error) {
	if err := validate.SharedName(name); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return bytes.Clone(s.shared[name]), nil
}

// SwapShared implements [rushgate.Fleet].
func (s *Store) SwapShared(ctx context.Context, name string, oldValue, newValue []byte) (swapped bool, err error) {
	if err := validate.Swap(name, oldValue, newValue); err != nil {
		return false, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	there := s.shared[name]
	if bytes.Equal(there, newValue) {
		return true, nil
	}
	if !bytes.Equal(there, oldValue) { // no value is there, or expected, where one is empty
		return false, nil
	}
	s.shared[name] = bytes.Clone(newValue)
	return true, nil
}

// Beat implements [rushgate.Fleet].
func (s *Store) Beat(ctx context.Context, beat rushgate.NodeBeat) ([]rushgate.NodeStatus, error) {
	if err := validate.Beat(beat); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.beats.Add(beat, s.now()), nil
}
